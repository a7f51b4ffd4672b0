//! The definition of a state machine, read and checked once.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::retry::Retrier;
use super::template::Template;

/// The definition of a state machine.
#[derive(Clone, Debug)]
pub struct Definition {
    pub(crate) root: Rc<Branch>,
}

/// A definition that has a name and an ARN.
#[derive(Debug)]
pub struct StateMachine {
    /// The ARN of the state machine.
    pub arn: String,
    /// The name of the state machine.
    pub name: String,
    /// What its executions do.
    pub definition: Definition,
}

impl StateMachine {
    /// Returns a state machine of an invented account.
    #[must_use]
    pub fn new(name: &str, definition: Definition) -> Self {
        let arn = format!("arn:aws:states:us-east-1:123456789012:stateMachine:{name}");
        Self { arn, name: name.to_owned(), definition }
    }
}

/// Why a definition cannot be interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionError(String);

impl fmt::Display for DefinitionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for DefinitionError {}

impl Definition {
    /// Reads a definition. `substitutions` replaces each `${name}` as CloudFormation does; other names stay.
    ///
    /// # Errors
    ///
    /// Names the state and the field if the text is not JSON, or has a field or a state that this interpreter does not
    /// know, an expression that is not valid, a transition to a state that does not exist, or an assignment that AWS
    /// rejects.
    pub fn parse(text: &str, substitutions: &[(&str, &str)]) -> Result<Self, DefinitionError> {
        let text = substitutions
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
        let machine: RawMachine = serde_json::from_str(&text)
            .map_err(|error| DefinitionError(format!("the definition cannot be read: {error}")))?;
        if machine.query_language.as_deref() != Some("JSONata") {
            return Err(DefinitionError("QueryLanguage is not JSONata: only JSONata is interpreted".to_owned()));
        }
        let root = Branch::new(&machine.start_at, machine.states, &BTreeSet::new()).map_err(DefinitionError)?;
        Ok(Self { root: Rc::new(root) })
    }
}

/// The states of a state machine, or of an iteration of a Map.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) start: usize,
    pub(crate) states: Vec<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) name: Rc<str>,
    pub(crate) kind: Kind,
    pub(crate) retriers: Vec<Retrier>,
    pub(crate) catchers: Vec<Catcher>,
}

impl State {
    /// Returns whether the context object has `State.RetryCount` in this state.
    pub(crate) fn counts_retries(&self) -> bool {
        matches!(self.kind, Kind::Task { .. } | Kind::Map { .. })
    }
}

#[derive(Debug)]
pub(crate) enum Kind {
    Task { resource: Rc<str>, arguments: Option<Template>, timeout_seconds: Option<Template>, exit: Exit },
    Choice { rules: Vec<Rule>, default: Option<Exit> },
    Wait { until: WaitUntil, exit: Exit },
    Pass { exit: Exit },
    Map(Box<MapState>),
    Succeed { output: Option<Template> },
    Fail { error: Option<Template>, cause: Option<Template> },
}

#[derive(Debug)]
pub(crate) struct MapState {
    pub(crate) items: Option<Template>,
    pub(crate) item_selector: Option<Template>,
    pub(crate) max_concurrency: Option<Template>,
    pub(crate) processor: Rc<Branch>,
    pub(crate) exit: Exit,
}

#[derive(Debug)]
pub(crate) enum WaitUntil {
    Seconds(Template),
    Timestamp(Template),
}

/// What happens when a state is left: the variables that it assigns, its output, and the next state (`None`: the end).
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) assign: Vec<(Rc<str>, Template)>,
    pub(crate) output: Option<Template>,
    pub(crate) next: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) condition: Template,
    pub(crate) exit: Exit,
}

#[derive(Debug)]
pub(crate) struct Catcher {
    pub(crate) error_equals: Vec<String>,
    pub(crate) exit: Exit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawMachine {
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    query_language: Option<String>,
    start_at: String,
    states: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawProcessor {
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    #[serde(default)]
    processor_config: RawProcessorConfig,
    start_at: String,
    states: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawProcessorConfig {
    mode: Option<String>,
}

/// A state as written: every field that this interpreter knows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawState {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    query_language: Option<String>,
    assign: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "present")]
    output: Option<Value>,
    next: Option<String>,
    end: Option<bool>,
    retry: Option<Vec<Retrier>>,
    catch: Option<Vec<RawCatcher>>,
    resource: Option<String>,
    #[serde(default, deserialize_with = "present")]
    arguments: Option<Value>,
    timeout_seconds: Option<Value>,
    choices: Option<Vec<RawRule>>,
    default: Option<String>,
    seconds: Option<Value>,
    timestamp: Option<Value>,
    items: Option<Value>,
    item_selector: Option<Value>,
    max_concurrency: Option<Value>,
    item_processor: Option<RawProcessor>,
    error: Option<Value>,
    cause: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawRule {
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    condition: Value,
    next: String,
    assign: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "present")]
    output: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawCatcher {
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    error_equals: Vec<String>,
    next: String,
    assign: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "present")]
    output: Option<Value>,
}

/// Reads a field that may be null, so that null differs from a missing field.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Checks that a state has no field that this interpreter leaves aside.
fn check_fields(state: &Value) -> Result<(), String> {
    let kind = state.get("Type").and_then(Value::as_str).ok_or("Type is missing")?;
    let fields = match kind {
        "Task" => &["Assign", "Output", "Next", "End", "Retry", "Catch", "Resource", "Arguments", "TimeoutSeconds"][..],
        "Choice" => &["Assign", "Output", "Choices", "Default"],
        "Wait" => &["Assign", "Output", "Next", "End", "Seconds", "Timestamp"],
        "Pass" => &["Assign", "Output", "Next", "End"],
        "Map" => &[
            "Assign",
            "Output",
            "Next",
            "End",
            "Retry",
            "Catch",
            "Items",
            "ItemSelector",
            "MaxConcurrency",
            "ItemProcessor",
        ],
        "Succeed" => &["Output"],
        "Fail" => &["Error", "Cause"],
        other => return Err(format!("Type: {other} is not interpreted")),
    };
    let is_known = |field: &&String| {
        ["Type", "Comment", "QueryLanguage"].contains(&field.as_str()) || fields.contains(&field.as_str())
    };
    let unknown = state.as_object().into_iter().flat_map(Map::keys).find(|field| !is_known(field));
    match unknown {
        Some(field) => Err(format!("{field} is not interpreted in a {kind}")),
        None => Ok(()),
    }
}

/// Reads the states of one branch.
struct Reader<'a> {
    index: HashMap<&'a str, usize>,
    /// The variables that are assigned outside this branch. A branch cannot assign them.
    outer: &'a BTreeSet<String>,
    /// The variables that are assigned outside this branch or in it.
    visible: BTreeSet<String>,
}

impl Branch {
    fn new(start_at: &str, states: Map<String, Value>, outer: &BTreeSet<String>) -> Result<Self, String> {
        let names: Vec<String> = states.keys().cloned().collect();
        let states = states
            .into_iter()
            .map(|(name, state)| {
                check_fields(&state).map_err(|error| format!("{name}: {error}"))?;
                let state: RawState = serde_json::from_value(state).map_err(|error| format!("{name}: {error}"))?;
                Ok((name, state))
            })
            .collect::<Result<Vec<_>, String>>()?;
        let assigned = states.iter().flat_map(|(_, state)| {
            let rules = state.choices.iter().flatten().filter_map(|rule| rule.assign.as_ref());
            let catchers = state.catch.iter().flatten().filter_map(|catcher| catcher.assign.as_ref());
            state.assign.iter().chain(rules).chain(catchers).flat_map(Map::keys).cloned()
        });
        let reader = Reader {
            index: names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect(),
            outer,
            visible: outer.iter().cloned().chain(assigned).collect(),
        };
        let start = reader.target("StartAt", start_at)?;
        let states = states
            .into_iter()
            .map(|(name, state)| reader.state(&name, state).map_err(|error| format!("{name}: {error}")))
            .collect::<Result<_, _>>()?;
        Ok(Self { start, states })
    }
}

impl Reader<'_> {
    fn target(&self, field: &str, name: &str) -> Result<usize, String> {
        self.index.get(name).copied().ok_or_else(|| format!("{field}: there is no state {name}"))
    }

    fn exit(
        &self,
        assign: Option<Map<String, Value>>,
        output: Option<Value>,
        next: Option<String>,
    ) -> Result<Exit, String> {
        let assign = assign
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| {
                if self.outer.contains(&name) {
                    return Err(format!(
                        "Assign: {name} is a variable of the states around this one, which a Map cannot assign"
                    ));
                }
                let template = Template::parse(&format!("Assign/{name}"), value)?;
                Ok((Rc::from(name), template))
            })
            .collect::<Result<_, _>>()?;
        let output = output.map(|output| Template::parse("Output", output)).transpose()?;
        let next = next.map(|next| self.target("Next", &next)).transpose()?;
        Ok(Exit { assign, output, next })
    }

    fn state(&self, name: &str, mut state: RawState) -> Result<State, String> {
        if state.query_language.as_deref().is_some_and(|language| language != "JSONata") {
            return Err("QueryLanguage: only JSONata is interpreted".to_owned());
        }
        let retriers = state.retry.take().unwrap_or_default();
        let catchers = state
            .catch
            .take()
            .unwrap_or_default()
            .into_iter()
            .map(|catcher| {
                let exit = self.exit(catcher.assign, catcher.output, Some(catcher.next))?;
                Ok(Catcher { error_equals: catcher.error_equals, exit })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let kind = self.kind(state)?;
        Ok(State { name: Rc::from(name), kind, retriers, catchers })
    }

    fn kind(&self, mut state: RawState) -> Result<Kind, String> {
        let parse = |field: &str, value: Option<Value>| value.map(|value| Template::parse(field, value)).transpose();
        let kind = std::mem::take(&mut state.kind);
        match kind.as_str() {
            "Task" => Ok(Kind::Task {
                resource: Rc::from(state.resource.take().ok_or("Resource is missing")?),
                arguments: parse("Arguments", state.arguments.take())?,
                timeout_seconds: parse("TimeoutSeconds", state.timeout_seconds.take())?,
                exit: self.exit_of(state)?,
            }),
            "Choice" => {
                let rules = state.choices.take().ok_or("Choices is missing")?.into_iter().map(|rule| {
                    let condition = Template::parse("Condition", rule.condition)?;
                    Ok(Rule { condition, exit: self.exit(rule.assign, rule.output, Some(rule.next))? })
                });
                let rules = rules.collect::<Result<_, String>>()?;
                let default = match state.default.take() {
                    Some(default) => Some(self.exit(state.assign.take(), state.output.take(), Some(default))?),
                    None => None,
                };
                Ok(Kind::Choice { rules, default })
            }
            "Wait" => {
                let until = match (state.seconds.take(), state.timestamp.take()) {
                    (Some(seconds), None) => WaitUntil::Seconds(Template::parse("Seconds", seconds)?),
                    (None, Some(timestamp)) => WaitUntil::Timestamp(Template::parse("Timestamp", timestamp)?),
                    _ => return Err("a Wait has either Seconds or Timestamp".to_owned()),
                };
                Ok(Kind::Wait { until, exit: self.exit_of(state)? })
            }
            "Pass" => Ok(Kind::Pass { exit: self.exit_of(state)? }),
            "Map" => {
                let processor = state.item_processor.take().ok_or("ItemProcessor is missing")?;
                if processor.processor_config.mode.as_deref().is_some_and(|mode| mode != "INLINE") {
                    return Err("ProcessorConfig: only inline Maps are interpreted".to_owned());
                }
                Ok(Kind::Map(Box::new(MapState {
                    items: parse("Items", state.items.take())?,
                    item_selector: parse("ItemSelector", state.item_selector.take())?,
                    max_concurrency: parse("MaxConcurrency", state.max_concurrency.take())?,
                    processor: Rc::new(Branch::new(&processor.start_at, processor.states, &self.visible)?),
                    exit: self.exit_of(state)?,
                })))
            }
            "Succeed" => Ok(Kind::Succeed { output: parse("Output", state.output.take())? }),
            "Fail" => Ok(Kind::Fail {
                error: parse("Error", state.error.take())?,
                cause: parse("Cause", state.cause.take())?,
            }),
            other => Err(format!("Type: {other} is not interpreted")),
        }
    }

    fn exit_of(&self, state: RawState) -> Result<Exit, String> {
        if state.next.is_some() == (state.end == Some(true)) {
            return Err("a state has either Next or End".to_owned());
        }
        self.exit(state.assign, state.output, state.next)
    }
}
