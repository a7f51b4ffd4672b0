//! The functions that Step Functions adds to JSONata, and those whose answer depends on the time or on chance.

use std::cell::RefCell;
use std::rc::Rc;

use fastrand::Rng;
use jsonata_core::evaluator::{Evaluator, EvaluatorError, HostFn};
use jsonata_core::value::JValue;
use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::time::Timestamp;

/// Where functions take the time and random numbers from.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) now: Timestamp,
    pub(crate) rng: Rc<RefCell<Rng>>,
}

type Answer = Result<JValue, EvaluatorError>;

type Function = dyn Fn(&[JValue]) -> Answer;

/// Registers those functions that are among `names`.
///
/// # Errors
///
/// If the library does not let a function be replaced.
pub(crate) fn register(evaluator: &mut Evaluator, names: &[String], sources: &Sources) -> Result<(), EvaluatorError> {
    for name in names {
        let (now, rng) = (sources.now, Rc::clone(&sources.rng));
        let function: Rc<Function> = match name.as_str() {
            "parse" => Rc::new(parse),
            "hash" => Rc::new(hash),
            "range" => Rc::new(range),
            "partition" => Rc::new(partition),
            "random" => Rc::new(move |arguments| random(arguments, &mut rng.borrow_mut())),
            "uuid" => Rc::new(move |arguments| uuid(arguments, &mut rng.borrow_mut())),
            "shuffle" => Rc::new(move |arguments| Ok(shuffle(arguments, &mut rng.borrow_mut()))),
            "millis" => Rc::new(move |_| Ok(JValue::from(now.epoch_ms()))),
            "now" => Rc::new(move |arguments| match arguments {
                [] => Ok(JValue::from(now.to_string())),
                _ => Err(error("D3135: $now has no arguments here. Use $fromMillis($millis(), …)")),
            }),
            "eval" => Rc::new(|_| Err(error("D3120: Step Functions has no $eval. Use $parse"))),
            _ => continue,
        };
        evaluator.register_fn_override(name.as_str(), Shared(function))?;
    }
    Ok(())
}

struct Shared(Rc<Function>);

impl HostFn for Shared {
    fn call(&self, arguments: &[JValue], _: &mut jsonata_core::evaluator::HostCtx) -> Answer {
        (self.0)(arguments)
    }
}

fn error(message: &str) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.to_owned())
}

fn mismatch(function: &str, position: usize) -> EvaluatorError {
    error(&format!("T0410: Argument {position} of function \"{function}\" does not match function signature"))
}

fn at_most(count: usize, function: &str, arguments: &[JValue]) -> Result<(), EvaluatorError> {
    if arguments.len() > count { Err(mismatch(function, count + 1)) } else { Ok(()) }
}

/// Returns the whole part of a number.
fn whole(value: &JValue, function: &str, position: usize) -> Result<i64, EvaluatorError> {
    let number = value.as_f64().ok_or_else(|| mismatch(function, position))?;
    JValue::from(number.trunc()).as_i64().ok_or_else(|| mismatch(function, position))
}

fn parse(arguments: &[JValue]) -> Answer {
    at_most(1, "parse", arguments)?;
    match arguments.first() {
        None | Some(JValue::Undefined) => Ok(JValue::Undefined),
        Some(JValue::String(text)) => serde_json::from_str::<Value>(text)
            .map(JValue::from)
            .map_err(|parse_error| error(&format!("D3138: $parse: the text is not valid JSON: {parse_error}"))),
        Some(_) => Err(mismatch("parse", 1)),
    }
}

fn hash(arguments: &[JValue]) -> Answer {
    at_most(2, "hash", arguments)?;
    let text = match arguments.first() {
        Some(JValue::Undefined) => return Ok(JValue::Undefined),
        Some(JValue::String(text)) => text,
        Some(_) | None => return Err(mismatch("hash", 1)),
    };
    let Some(algorithm) = arguments.get(1) else { return Ok(JValue::Undefined) };
    let digest = match algorithm.as_str() {
        Some("MD5") => hex(&Md5::digest(text.as_bytes())),
        Some("SHA-1") => hex(&Sha1::digest(text.as_bytes())),
        Some("SHA-256") => hex(&Sha256::digest(text.as_bytes())),
        Some("SHA-384") => hex(&Sha384::digest(text.as_bytes())),
        Some("SHA-512") => hex(&Sha512::digest(text.as_bytes())),
        _ => return Err(error("D3137: $hash: the algorithm must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512")),
    };
    Ok(JValue::from(digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn range(arguments: &[JValue]) -> Answer {
    at_most(3, "range", arguments)?;
    let [first, last, step] = arguments else { return Ok(JValue::Undefined) };
    if [first, last, step].iter().any(|argument| argument.is_undefined()) {
        return Ok(JValue::Undefined);
    }
    let (first, last, step) = (whole(first, "range", 1)?, whole(last, "range", 2)?, whole(step, "range", 3)?);
    if step == 0 {
        return Ok(JValue::Undefined);
    }
    let numbers = std::iter::successors(Some(first), |number| number.checked_add(step))
        .take_while(|number| if step > 0 { *number <= last } else { *number >= last })
        .map(JValue::from)
        .collect();
    Ok(JValue::sequence(numbers).unwrap_sequence())
}

fn partition(arguments: &[JValue]) -> Answer {
    at_most(2, "partition", arguments)?;
    let items = match arguments.first() {
        None | Some(JValue::Undefined) => return Ok(JValue::Undefined),
        Some(JValue::Array(items)) => items,
        Some(_) => return Err(error("T0412: Argument 1 of function \"partition\" must be an array")),
    };
    let size = match arguments.get(1) {
        None | Some(JValue::Undefined) => return Ok(JValue::array(vec![JValue::Array(items.clone())])),
        Some(size) => whole(size, "partition", 2)?,
    };
    let size = usize::try_from(size).map_err(|_| error("D3137: $partition: the size must be zero or greater"))?;
    if size == 0 || items.is_empty() {
        return Ok(JValue::Undefined);
    }
    Ok(JValue::array(items.chunks(size).map(|batch| JValue::array(batch.to_vec())).collect()))
}

fn random(arguments: &[JValue], rng: &mut Rng) -> Answer {
    at_most(1, "random", arguments)?;
    match arguments.first() {
        None | Some(JValue::Undefined) => Ok(JValue::from(rng.f64())),
        Some(JValue::Number(seed)) => Ok(JValue::from(Rng::with_seed(seed.to_bits()).f64())),
        Some(_) => Err(mismatch("random", 1)),
    }
}

fn uuid(arguments: &[JValue], rng: &mut Rng) -> Answer {
    at_most(0, "uuid", arguments)?;
    let variant = ["8", "9", "a", "b"][rng.usize(0..4)];
    let digits = hex(&rng.u128(..).to_be_bytes());
    Ok(JValue::from(format!(
        "{}-{}-4{}-{variant}{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..]
    )))
}

fn shuffle(arguments: &[JValue], rng: &mut Rng) -> JValue {
    match arguments.first() {
        None => JValue::Undefined,
        Some(JValue::Array(items)) => {
            let mut items = items.to_vec();
            rng.shuffle(&mut items);
            JValue::array(items)
        }
        Some(item) => item.clone(),
    }
}
