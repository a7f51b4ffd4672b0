//! The IAM statements of the resolved template.

use serde_json::Value;

use crate::resolve::Stack;

/// A statement of a role's policy, or of a resource's.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// The logical id of the role or of the resource's policy.
    pub(crate) owner: String,
    /// The statement.
    pub(crate) value: Value,
}

impl Statement {
    /// Returns the actions.
    pub(crate) fn actions(&self) -> Vec<&str> {
        strings(&self.value["Action"])
    }

    /// Returns the resources; none in a trust policy.
    pub(crate) fn resources(&self) -> Vec<&str> {
        strings(&self.value["Resource"])
    }

    /// Returns the condition keys.
    pub(crate) fn condition_keys(&self) -> Vec<&str> {
        let operators = self.value["Condition"].as_object().into_iter().flatten();
        operators.flat_map(|(_, keys)| keys.as_object().unwrap().keys().map(String::as_str)).collect()
    }

    /// Returns whether the statement allows an action.
    pub(crate) fn allows(&self, action: &str) -> bool {
        self.value["Effect"] == "Allow" && self.actions().contains(&action)
    }
}

/// Returns a string, or each string of a list.
pub(crate) fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        single => single.as_str().into_iter().collect(),
    }
}

fn of_document(owner: &str, document: &Value) -> Vec<Statement> {
    let list = document["Statement"].as_array().unwrap_or_else(|| panic!("{owner}: a policy without statements"));
    list.iter().map(|value| Statement { owner: owner.to_owned(), value: value.clone() }).collect()
}

/// Returns the statements of the roles' own policies, and of the stack's managed policies.
pub(crate) fn identity_statements(stack: &Stack) -> Vec<Statement> {
    let mut statements = Vec::new();
    for (id, role) in stack.of_type("AWS::IAM::Role") {
        for policy in role["Policies"].as_array().into_iter().flatten() {
            statements.extend(of_document(id, &policy["PolicyDocument"]));
        }
    }
    for (id, policy) in stack.of_type("AWS::IAM::ManagedPolicy") {
        statements.extend(of_document(id, &policy["PolicyDocument"]));
    }
    statements
}

/// Returns the statements of a role's own policies and of the stack's managed policies that it has.
pub(crate) fn statements_of_role(stack: &Stack, role: &str) -> Vec<Statement> {
    let properties = &stack.resources[role]["Properties"];
    let mut statements = Vec::new();
    for policy in properties["Policies"].as_array().into_iter().flatten() {
        statements.extend(of_document(role, &policy["PolicyDocument"]));
    }
    for arn in strings(&properties["ManagedPolicyArns"]) {
        let managed = stack.of_type("AWS::IAM::ManagedPolicy").into_iter();
        for (id, policy) in managed.filter(|(id, _)| arn.contains(&format!("-{id}-"))) {
            statements.extend(of_document(id, &policy["PolicyDocument"]));
        }
    }
    statements
}

/// Returns the statements of the policies of buckets, topics and queues.
pub(crate) fn resource_statements(stack: &Stack) -> Vec<Statement> {
    let kinds = ["AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"];
    let policies = kinds.into_iter().flat_map(|kind| stack.of_type(kind));
    policies.flat_map(|(id, policy)| of_document(id, &policy["PolicyDocument"])).collect()
}

/// Returns the statements of a role's trust policy.
pub(crate) fn trust(stack: &Stack, role: &str) -> Vec<Statement> {
    of_document(role, &stack.resources[role]["Properties"]["AssumeRolePolicyDocument"])
}

/// Returns whether some text matches both patterns, where `*` stands for any characters and `${…}` for a name.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    fn tokens(pattern: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            if let Some((name, after)) = rest.strip_prefix("${").and_then(|rest| rest.split_once('}')) {
                // Names of objects and of roles with a path may have slashes.
                let is_path = ["ObjectName", "RoleNameWithPath"].contains(&name);
                tokens.push(if is_path { Token::Any } else { Token::Name });
                rest = after;
            } else {
                tokens.push(if first == '*' { Token::Any } else { Token::Char(first) });
                rest = &rest[first.len_utf8()..];
            }
        }
        tokens
    }
    fn matches(one: &[Token], other: &[Token]) -> bool {
        match (one, other) {
            ([], []) => true,
            ([wild @ (Token::Any | Token::Name), rest @ ..], _) if matches(rest, other) || wild.skips(one, other) => {
                true
            }
            (_, [wild @ (Token::Any | Token::Name), rest @ ..]) if matches(one, rest) || wild.skips(other, one) => true,
            ([Token::Char(a), one @ ..], [Token::Char(b), other @ ..]) => a == b && matches(one, other),
            _ => false,
        }
    }
    #[derive(Clone, Copy, Debug)]
    enum Token {
        Char(char),
        Name,
        Any,
    }
    impl Token {
        /// Returns whether the patterns match if this wildcard stands for one more character of the other pattern.
        fn skips(self, from_here: &[Self], other: &[Self]) -> bool {
            match (self, other) {
                (Self::Name, [Self::Char('/' | ':'), ..]) | (_, []) => false,
                (_, [Self::Char(_), rest @ ..]) => matches(from_here, rest),
                _ => false,
            }
        }
    }
    matches(&tokens(one), &tokens(other))
}

#[test]
fn resources_overlap_if_a_name_can_match_both() {
    let object = "arn:${Partition}:s3:::${BucketName}/${ObjectName}";
    assert!(overlap("arn:aws:s3:::bucket/checked/*", object));
    assert!(overlap("arn:aws:s3:::bucket/*", object));
    assert!(!overlap("arn:aws:s3:::bucket", object));
    assert!(!overlap("arn:aws:s3:::bucket/*", "arn:${Partition}:s3:::${BucketName}"));
    let job = "arn:${Partition}:cleanrooms-ml:${Region}:${Account}:audience-generation-job/${ResourceId}";
    assert!(overlap("arn:aws:cleanrooms-ml:eu-west-1:*:audience-generation-job/*", job));
    assert!(!overlap("arn:aws:cleanrooms-ml:eu-west-1:*:configured-audience-model/*", job));
}
