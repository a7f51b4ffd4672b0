//! The template as CloudFormation understands it: conditions are decided, intrinsic functions are replaced, and
//! resources have physical names.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use local_aws::root;
use serde_json::{Map, Value, json};

use crate::expansion::EXPANSION;
use crate::parameters::{DECLARED, Parameter, Values};

/// The account of the stack.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The Region of the stack.
pub(crate) const REGION: &str = "eu-west-1";

/// Where a stack is deployed, and under which name.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The account.
    pub(crate) account: &'static str,
    /// The partition.
    pub(crate) partition: &'static str,
    /// The stack's name.
    pub(crate) stack: String,
    /// Whether generated names have the greatest length that their type allows.
    pub(crate) long_names: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self { account: ACCOUNT, partition: "aws", stack: "lookalike".to_owned(), long_names: false }
    }
}

/// A resolved template.
#[derive(Debug)]
pub(crate) struct Stack {
    /// The resources whose condition holds, by logical id.
    pub(crate) resources: BTreeMap<String, Value>,
    /// References that cannot be resolved, such as one to a resource whose condition does not hold.
    pub(crate) problems: BTreeSet<String>,
}

impl Stack {
    /// Resolves the template for values of the table, in an ordinary place.
    pub(crate) fn new(values: &Values) -> Self {
        let owned = values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self::resolve(EXPANSION.template(values), &owned, Place::default())
    }

    /// Resolves the template with each parameter at its default.
    pub(crate) fn with_defaults() -> Self {
        Self::new(&Parameter::defaults())
    }

    /// Resolves the template with each parameter set.
    pub(crate) fn with_all_set() -> Self {
        Self::new(&Parameter::all_set())
    }

    /// Resolves an expanded template.
    pub(crate) fn resolve(template: &Value, values: &BTreeMap<&str, String>, place: Place) -> Self {
        let resolver = Resolver { template, values, place, problems: RefCell::default() };
        let holding = |section: &str| -> BTreeMap<String, Value> {
            let entries = template[section].as_object().into_iter().flatten();
            let held = entries.filter(|(_, entry)| resolver.holds_for(entry));
            held.map(|(id, entry)| {
                let path = format!("{section}.{id}");
                (id.clone(), resolver.value(entry, &path).unwrap())
            })
            .collect()
        };
        let resources = holding("Resources");
        // Only for the problems of their references.
        holding("Outputs");
        Self { resources, problems: resolver.problems.into_inner() }
    }

    /// Returns the properties of each resource of a type, by logical id.
    pub(crate) fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let of_type = self.resources.iter().filter(|(_, resource)| resource["Type"] == kind);
        of_type.map(|(id, resource)| (id.as_str(), &resource["Properties"])).collect()
    }

    /// Returns the ARN of the bucket or of a function.
    pub(crate) fn arn_of(&self, id: &str) -> String {
        let name = |max| generated_name(&Place::default(), id, max);
        match self.resources[id]["Type"].as_str() {
            Some("AWS::S3::Bucket") => format!("arn:aws:s3:::{}", name(63)),
            Some("AWS::Lambda::Function") => format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", name(64)),
            Some("AWS::SQS::Queue") => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", name(80)),
            Some("AWS::Events::Rule") => format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", name(64)),
            other => panic!("add {other:?} to arn_of"),
        }
    }

    /// Returns the text of each workflow's definition after CloudFormation's substitutions.
    pub(crate) fn definition_texts(&self) -> BTreeMap<&str, String> {
        let machines = self.of_type("AWS::StepFunctions::StateMachine").into_iter();
        let texts = machines.map(|(id, machine)| {
            let path = machine["DefinitionS3Location"]["Key"].as_str().unwrap();
            let mut text = fs::read_to_string(root().join(path)).unwrap();
            for (name, value) in machine["DefinitionSubstitutions"].as_object().into_iter().flatten() {
                text = text.replace(&format!("${{{name}}}"), &text_of(value));
            }
            (id, text)
        });
        texts.collect()
    }

    /// Returns each workflow's definition after CloudFormation's substitutions.
    pub(crate) fn definitions(&self) -> BTreeMap<&str, Value> {
        let texts = self.definition_texts().into_iter();
        texts.map(|(id, text)| (id, serde_json::from_str(&text).unwrap())).collect()
    }

    /// Returns the logical ids of functions of which a version is published, with the id of the version.
    pub(crate) fn versions(&self) -> BTreeMap<&str, &str> {
        let versions = self.resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Version");
        let functions = self.of_type("AWS::Lambda::Function");
        let pairs = versions.map(|(id, version)| {
            let name = version["Properties"]["FunctionName"].as_str().unwrap();
            let function = functions.keys().find(|function| generated_name(&Place::default(), function, 64) == name);
            (*function.unwrap(), id.as_str())
        });
        pairs.collect()
    }
}

/// Returns a resolved scalar as CloudFormation inserts it.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the name that CloudFormation generates, which is the stack's name, the logical id and 12 characters.
fn generated_name(place: &Place, id: &str, max: usize) -> String {
    const SUFFIX: &str = "ABCDEFGHIJKL";
    let full = format!("{}-{id}-{SUFFIX}", place.stack);
    if place.long_names { format!("{full:x<max$}")[..max].to_owned() } else { full }
}

struct Resolver<'t> {
    template: &'t Value,
    values: &'t BTreeMap<&'t str, String>,
    place: Place,
    problems: RefCell<BTreeSet<String>>,
}

impl Resolver<'_> {
    fn holds_for(&self, entry: &Value) -> bool {
        entry["Condition"].as_str().is_none_or(|name| self.condition(name))
    }

    fn condition(&self, name: &str) -> bool {
        let condition = &self.template["Conditions"][name];
        assert!(!condition.is_null(), "the template has no condition {name}");
        self.holds(condition)
    }

    fn holds(&self, condition: &Value) -> bool {
        let (function, operands) = single(condition).unwrap();
        let mut operands_hold = operands.as_array().into_iter().flatten().map(|operand| self.holds(operand));
        match function {
            "Condition" => self.condition(operands.as_str().unwrap()),
            "Fn::Not" => !operands_hold.next().unwrap(),
            "Fn::And" => operands_hold.all(|holds| holds),
            "Fn::Or" => operands_hold.any(|holds| holds),
            "Fn::Equals" => {
                let sides = operands.as_array().unwrap().iter();
                let sides: Vec<_> =
                    sides.map(|side| text_of(&self.value(side, "Conditions").unwrap_or_default())).collect();
                sides[0] == sides[1]
            }
            other => panic!("add the condition function {other} to resolve.rs"),
        }
    }

    /// Resolves a value. Returns `None` for `AWS::NoValue`.
    fn value(&self, value: &Value, path: &str) -> Option<Value> {
        match value {
            Value::Array(items) => Some(items.iter().filter_map(|item| self.value(item, path)).collect()),
            Value::Object(members) => match single(value) {
                Some(("Ref", operand)) if operand == "AWS::NoValue" => None,
                Some(("Fn::If", operand)) => {
                    let branch = if self.condition(operand[0].as_str()?) { 1 } else { 2 };
                    self.value(&operand[branch], path)
                }
                Some((name, operand)) if name == "Ref" || name.starts_with("Fn::") => {
                    self.function(name, operand, path)
                }
                _ => Some(Value::Object(self.members(members, path))),
            },
            scalar => Some(scalar.clone()),
        }
    }

    fn members(&self, members: &Map<String, Value>, path: &str) -> Map<String, Value> {
        let resolved = members.iter().filter_map(|(name, member)| {
            let path = format!("{path}.{name}");
            Some((name.clone(), self.value(member, &path)?))
        });
        resolved.collect()
    }

    /// Resolves an intrinsic function.
    fn function(&self, name: &str, operand: &Value, path: &str) -> Option<Value> {
        let resolved = match name {
            "Ref" => self.reference(operand.as_str()?, path),
            "Fn::GetAtt" => {
                let dotted = operand.as_str().and_then(|text| text.split_once('.'));
                let (id, attribute) =
                    dotted.unwrap_or_else(|| (operand[0].as_str().unwrap(), operand[1].as_str().unwrap()));
                self.attribute(id, attribute, path)
            }
            "Fn::Sub" => self.sub(operand, path),
            "Fn::Join" => {
                let items = self.value(&operand[1], path)?;
                let items: Vec<_> = items.as_array()?.iter().map(text_of).collect();
                items.join(operand[0].as_str()?)
            }
            "Fn::Select" => {
                let index: usize = text_of(&operand[0]).parse().ok()?;
                return self.value(&operand[1], path)?.get(index).cloned();
            }
            "Fn::Split" => {
                let text = text_of(&self.value(&operand[1], path)?);
                return Some(text.split(operand[0].as_str()?).map(Value::from).collect());
            }
            "Fn::FindInMap" => {
                let keys = self.value(operand, path)?;
                let [map, first, second] = [0, 1, 2].map(|index| text_of(&keys[index]));
                let row = &self.template["Mappings"][&map][&first][&second];
                if row.is_null() {
                    self.problem(path, &format!("the mapping {map} has no {first}.{second}"));
                }
                return Some(row.clone());
            }
            other => panic!("add the function {other} to resolve.rs"),
        };
        Some(Value::String(resolved))
    }

    fn sub(&self, operand: &Value, path: &str) -> String {
        let (text, own) = operand.as_str().map_or_else(
            || (operand[0].as_str().unwrap(), operand[1].as_object().cloned().unwrap_or_default()),
            |text| (text, Map::new()),
        );
        let mut resolved = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            resolved += before;
            let (name, after) = after.split_once('}').unwrap();
            rest = after;
            let text = match (name.strip_prefix('!'), own.get(name), name.split_once('.')) {
                (Some(literal), _, _) => format!("${{{literal}}}"),
                (None, Some(value), _) => self.value(value, path).map(|value| text_of(&value)).unwrap_or_default(),
                (None, None, Some((id, attribute))) => self.attribute(id, attribute, path),
                (None, None, None) => self.reference(name, path),
            };
            resolved.push_str(&text);
        }
        resolved + rest
    }

    fn problem(&self, path: &str, what: &str) {
        self.problems.borrow_mut().insert(format!("{path}: {what}"));
    }

    /// Returns the type of a resource that a value refers to.
    fn kind(&self, id: &str, path: &str) -> &str {
        let resource = &self.template["Resources"][id];
        if resource.is_null() {
            self.problem(path, &format!("{id} is not defined"));
        } else if !self.holds_for(resource) {
            self.problem(path, &format!("the condition of {id} does not hold"));
        }
        resource["Type"].as_str().unwrap_or_default()
    }

    fn reference(&self, name: &str, path: &str) -> String {
        let pseudo = match name {
            "AWS::AccountId" => self.place.account,
            "AWS::Partition" => self.place.partition,
            "AWS::Region" => REGION,
            "AWS::StackName" => &self.place.stack,
            "AWS::URLSuffix" => "amazonaws.com",
            _ => "",
        };
        if !pseudo.is_empty() {
            return pseudo.to_owned();
        }
        if let Some(declared) = DECLARED.get(name) {
            return self.values.get(name).cloned().unwrap_or_else(|| text_of(&declared["Default"]));
        }
        match self.kind(name, path) {
            "AWS::IAM::ManagedPolicy" | "AWS::SNS::Topic" | "AWS::StepFunctions::StateMachine" => {
                self.attribute(name, "Arn", path)
            }
            "AWS::Lambda::Version" => {
                let function = &self.template["Resources"][name]["Properties"]["FunctionName"]["Ref"];
                format!("{}:1", self.attribute(function.as_str().unwrap(), "Arn", path))
            }
            "AWS::SQS::Queue" => {
                format!("https://sqs.{REGION}.amazonaws.com/{}/{}", self.place.account, self.name(name, path))
            }
            _ => self.name(name, path),
        }
    }

    /// Returns a resource's physical name.
    fn name(&self, id: &str, path: &str) -> String {
        let properties = &self.template["Resources"][id]["Properties"];
        let (property, max) = match self.kind(id, path) {
            "AWS::S3::Bucket" => ("BucketName", 63),
            "AWS::Lambda::Function" => ("FunctionName", 64),
            "AWS::IAM::Role" => ("RoleName", 64),
            "AWS::IAM::ManagedPolicy" => ("ManagedPolicyName", 128),
            "AWS::SQS::Queue" => ("QueueName", 80),
            "AWS::StepFunctions::StateMachine" => ("StateMachineName", 80),
            "AWS::Events::Rule" => ("Name", 64),
            "AWS::Events::EventBus" => ("Name", 256),
            "AWS::Logs::LogGroup" => ("LogGroupName", 512),
            "AWS::CloudWatch::Alarm" => ("AlarmName", 255),
            "AWS::CloudWatch::Dashboard" => ("DashboardName", 255),
            "AWS::SNS::Topic" => ("TopicName", 256),
            _ => ("Name", 128),
        };
        let own = properties.get(property).and_then(|name| self.value(name, path));
        own.map_or_else(|| generated_name(&self.place, id, max), |name| text_of(&name))
    }

    fn attribute(&self, id: &str, attribute: &str, path: &str) -> String {
        let kind = self.kind(id, path);
        if attribute != "Arn" {
            // QueueName and its like.
            return self.name(id, path);
        }
        let name = self.name(id, path);
        let Place { account, partition, .. } = self.place;
        let regional = |service: &str, rest: &str| format!("arn:{partition}:{service}:{REGION}:{account}:{rest}{name}");
        match kind {
            "AWS::S3::Bucket" => format!("arn:{partition}:s3:::{name}"),
            "AWS::IAM::Role" => format!("arn:{partition}:iam::{account}:role/{name}"),
            "AWS::IAM::ManagedPolicy" => format!("arn:{partition}:iam::{account}:policy/{name}"),
            "AWS::Lambda::Function" => regional("lambda", "function:"),
            "AWS::SQS::Queue" => regional("sqs", ""),
            "AWS::SNS::Topic" => regional("sns", ""),
            "AWS::StepFunctions::StateMachine" => regional("states", "stateMachine:"),
            "AWS::Events::Rule" => regional("events", "rule/"),
            "AWS::Events::EventBus" => regional("events", "event-bus/"),
            "AWS::CloudWatch::Alarm" => regional("cloudwatch", "alarm:"),
            "AWS::Logs::LogGroup" => format!("{}:*", regional("logs", "log-group:")),
            other => panic!("add the ARN of {other} to resolve.rs"),
        }
    }
}

/// Returns the only member of an object.
fn single(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.iter().next().map(|(name, value)| (name.as_str(), value))
}

/// Returns the paths at which two values differ.
pub(crate) fn differences(one: &Value, other: &Value) -> BTreeSet<String> {
    fn collect(one: &Value, other: &Value, path: &str, found: &mut BTreeSet<String>) {
        match (one, other) {
            (Value::Object(a), Value::Object(b)) => {
                for name in a.keys().chain(b.keys()) {
                    let member = |members: &Map<String, Value>| members.get(name).cloned().unwrap_or_default();
                    collect(&member(a), &member(b), &format!("{path}.{name}"), found);
                }
            }
            (one, other) if one != other => {
                found.insert(path.trim_start_matches('.').to_owned());
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    collect(one, other, "", &mut found);
    found
}

#[test]
fn a_template_is_resolved_with_its_conditions() {
    let template = json!({
        "Conditions": {
            "HasKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKeyArn"}, ""]}]},
            "HasNoKey": {"Fn::Not": [{"Condition": "HasKey"}]},
            "Always": {"Fn::Or": [{"Condition": "HasKey"}, {"Condition": "HasNoKey"}]},
        },
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Condition": "Always", "Properties": {
                "Key": {"Fn::If": ["HasKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]},
                "Place": {"Fn::Sub": ["${Bucket.Arn}/${!literal}/${Own}", {"Own": {"Ref": "AWS::Region"}}]},
                "Joined": {"Fn::Join": [",", ["a", {"Ref": "AWS::NoValue"}, {"Ref": "AWS::Partition"}]]},
            }},
            "Absent": {"Type": "AWS::SNS::Topic", "Condition": "HasKey", "Properties": {}},
        },
        "Outputs": {"Topic": {"Value": {"Ref": "Absent"}}},
    });
    let stack = Stack::resolve(&template, &BTreeMap::new(), Place::default());
    let arn = "arn:aws:s3:::lookalike-Bucket-ABCDEFGHIJKL";
    let properties = json!({"Place": format!("{arn}/${{literal}}/eu-west-1"), "Joined": "a,aws"});
    assert_eq!(stack.resources["Bucket"]["Properties"], properties);
    assert_eq!(stack.resources.len(), 1);
    let problem = "Outputs.Topic.Value: the condition of Absent does not hold".to_owned();
    assert_eq!(stack.problems, BTreeSet::from([problem]));
}
