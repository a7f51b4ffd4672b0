//! JSONata expressions. All that this crate knows about its JSONata library is in this file, `functions.rs` and
//! `value.rs`.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use fastrand::Rng;
use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::Value;

use super::failure::Failure;
use super::functions::{self, Sources};
use super::time::Timestamp;
use super::value::{plain, to_json};

/// An expression that was parsed once.
pub(crate) struct Expression {
    source: String,
    tree: AstNode,
    /// The names after each `$` in the source: the variables and functions that it possibly uses.
    names: Vec<String>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.source)
    }
}

/// The variables that an expression can read, by name.
pub(crate) trait Lookup {
    /// Returns the value of the variable, or `None` if it is not assigned.
    fn variable(&self, name: &str) -> Option<JValue>;
}

impl Expression {
    /// Parses an expression, without `{%` and `%}`.
    ///
    /// # Errors
    ///
    /// If the text is not valid JSONata.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let source = source.trim();
        let tree = parser::parse(source).map_err(|error| format!("`{source}` is not valid JSONata: {error}"))?;
        Ok(Self { source: source.to_owned(), tree, names: names(source) })
    }

    /// Evaluates the expression as a state does: there is no input document, only variables.
    ///
    /// # Errors
    ///
    /// `States.QueryEvaluationError` if the expression fails, returns no value, or returns a value that JSON cannot
    /// hold.
    pub(crate) fn evaluate(&self, field: &str, variables: &impl Lookup, sources: &Sources) -> Result<JValue, Failure> {
        let failed = |reason: &dyn fmt::Display| {
            Failure::query(format!(
                "The JSONata expression '{}' specified for the field '{field}' {reason}",
                self.source
            ))
        };
        let value = self
            .run(variables, sources)
            .map_err(|error| failed(&format_args!("threw an error: {}", error.message())))?;
        if value.is_undefined() {
            return Err(failed(&"returned nothing (undefined)."));
        }
        plain(value).ok_or_else(|| failed(&"returned an unsupported result type."))
    }

    fn run(&self, variables: &impl Lookup, sources: &Sources) -> Result<JValue, EvaluatorError> {
        let mut context = Context::new();
        for name in &self.names {
            if let Some(value) = variables.variable(name) {
                context.bind(name.clone(), value);
            }
        }
        let mut evaluator = Evaluator::with_context(context);
        functions::register(&mut evaluator, &self.names, sources)?;
        evaluator.evaluate(&self.tree, &JValue::Undefined)
    }
}

/// Returns each name that follows a `$`, once. Some of them are functions or in a text, which does no harm.
fn names(source: &str) -> Vec<String> {
    let mut names: Vec<String> = source
        .split('$')
        .skip(1)
        .map(|rest| rest.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect())
        .filter(|name: &String| !name.is_empty())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Lookup for serde_json::Map<String, Value> {
    fn variable(&self, name: &str) -> Option<JValue> {
        self.get(name).cloned().map(JValue::from)
    }
}

/// Evaluates one expression with these variables, at the beginning of 2026 and with one random seed.
///
/// # Errors
///
/// The text of the error if the expression is not valid, or if a state with it would fail.
pub fn evaluate(expression: &str, variables: &serde_json::Map<String, Value>) -> Result<Value, String> {
    let sources =
        Sources { now: Timestamp::from_epoch_ms(1_767_225_600_000), rng: Rc::new(RefCell::new(Rng::with_seed(0))) };
    let expression = Expression::parse(expression)?;
    let value = expression.evaluate("Output", variables, &sources).map_err(|failure| failure.to_string())?;
    Ok(to_json(&value))
}

/// Returns whether the text, without `{%` and `%}`, is valid JSONata.
#[must_use]
pub fn is_valid_expression(expression: &str) -> bool {
    Expression::parse(expression).is_ok()
}
