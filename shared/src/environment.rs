//! The environment of a function, parsed once at its start into types.

use std::fmt;
use std::str::FromStr;

/// Why a function does not start.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvironmentError(String);

/// What Rust prints of a `main` that fails: the message alone.
impl fmt::Debug for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EnvironmentError {}

/// The variables of a process, through the way to look one up (`|name| std::env::var(name).ok()`).
pub struct Environment<L>(pub L);

impl<L: Fn(&str) -> Option<String>> Environment<L> {
    /// A variable that must be there. Errors name it.
    pub fn required<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<T, EnvironmentError> {
        self.optional(name)?.ok_or_else(|| {
            EnvironmentError(format!("The environment variable {name} is missing: set it in template.yaml."))
        })
    }

    /// A variable that may be empty or absent. Errors name it where its value is none.
    pub fn optional<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<Option<T>, EnvironmentError> {
        (self.0)(name).filter(|value| !value.is_empty()).map(|value| value.parse()).transpose().map_err(
            |problem: T::Err| EnvironmentError(format!("The environment variable {name} is wrong: {problem}.")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_wrong_variable_is_named() {
        let environment = Environment(|name: &str| match name {
            "EMPTY" => Some(String::new()),
            "NUMBER" => Some("15".to_owned()),
            "WORD" => Some("fifteen".to_owned()),
            _ => None,
        });
        assert_eq!(environment.required::<u32>("NUMBER"), Ok(15));
        assert_eq!(environment.optional::<u32>("EMPTY"), Ok(None));
        for name in ["EMPTY", "ABSENT", "WORD"] {
            let error = environment.required::<u32>(name).err();
            assert!(error.as_ref().is_some_and(|error| error.to_string().contains(name)), "{name}");
            // What a `main` that fails prints.
            assert_eq!(error.as_ref().map(|error| format!("{error:?}")), error.map(|error| error.to_string()));
        }
        assert!(environment.optional::<u32>("WORD").is_err());
    }
}
