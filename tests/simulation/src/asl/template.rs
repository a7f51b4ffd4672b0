//! The value of a field: JSON in which any text may be an expression.

use jsonata_core::value::JValue;
use serde_json::Value;

use super::expression::{Expression, Lookup};
use super::failure::Failure;
use super::functions::Sources;

#[derive(Debug)]
pub(crate) enum Template {
    Literal(JValue),
    Expression { field: String, expression: Expression },
    Object(Vec<(String, Template)>),
    Array(Vec<Template>),
}

impl Template {
    /// Reads the value of `field`, which is named in errors.
    ///
    /// # Errors
    ///
    /// If an expression in it is not valid.
    pub(crate) fn parse(field: &str, value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => match text.strip_prefix("{%").and_then(|text| text.strip_suffix("%}")) {
                Some(source) => {
                    let expression = Expression::parse(source).map_err(|error| format!("{field}: {error}"))?;
                    Ok(Self::Expression { field: field.to_owned(), expression })
                }
                None => Ok(Self::Literal(JValue::from(text))),
            },
            Value::Object(members) => {
                let read = |(name, value)| {
                    let template = Self::parse(&format!("{field}/{name}"), value)?;
                    Ok((name, template))
                };
                let members: Vec<(String, Self)> = members.into_iter().map(read).collect::<Result<_, String>>()?;
                Ok(Self::Object(members).without_literal_members())
            }
            Value::Array(items) => {
                let read = |(index, value)| Self::parse(&format!("{field}[{index}]"), value);
                let items: Vec<Self> = items.into_iter().enumerate().map(read).collect::<Result<_, String>>()?;
                Ok(Self::Array(items).without_literal_members())
            }
            other => Ok(Self::Literal(JValue::from(other))),
        }
    }

    /// Returns the same template, as one literal if it holds no expression.
    fn without_literal_members(self) -> Self {
        match self.literal() {
            Some(literal) => Self::Literal(literal),
            None => self,
        }
    }

    fn literal(&self) -> Option<JValue> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Expression { .. } => None,
            Self::Object(members) => {
                let literal = |(name, value): &(String, Self)| Some((name.clone(), value.literal()?));
                members.iter().map(literal).collect::<Option<_>>().map(JValue::object)
            }
            Self::Array(items) => items.iter().map(Self::literal).collect::<Option<_>>().map(JValue::array),
        }
    }

    /// Evaluates every expression in the template.
    ///
    /// # Errors
    ///
    /// The first error of an expression.
    pub(crate) fn evaluate(&self, variables: &impl Lookup, sources: &Sources) -> Result<JValue, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Expression { field, expression } => expression.evaluate(field, variables, sources),
            Self::Object(members) => {
                let evaluate = |(name, value): &(String, Self)| Ok((name.clone(), value.evaluate(variables, sources)?));
                members.iter().map(evaluate).collect::<Result<_, Failure>>().map(JValue::object)
            }
            Self::Array(items) => {
                let evaluate = |item: &Self| item.evaluate(variables, sources);
                items.iter().map(evaluate).collect::<Result<_, Failure>>().map(JValue::array)
            }
        }
    }
}
