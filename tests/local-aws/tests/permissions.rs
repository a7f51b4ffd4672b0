//! That `statemachine/PERMISSIONS.md` says who may do what, as the template has it: no more, no less, each with a reason.
//!
//! `UPDATE=1 cargo test -p local-aws --test permissions` writes the page anew and keeps the reasons; what is new gets a
//! `?` in their place.

#![allow(clippy::unwrap_used)]

mod expanded;

use std::collections::BTreeSet;
use std::{env, fs};

use local_aws::root;
use serde_json::Value;

use expanded::{of_type, template};

/// The heads of the page's tables: what our roles may do, and what services may do with what is ours.
const HEADS: [&str; 2] = ["| role of | may | on | when |", "| service | may | on | when |"];

/// A row of the page without its reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    who: BTreeSet<String>,
    may: Vec<String>,
    on: BTreeSet<String>,
    when: Vec<String>,
}

impl Permission {
    /// What a statement of a policy says of somebody; with `on`, of a policy that stands at that resource.
    fn of(who: &str, statement: &Value, on: Option<&str>) -> Self {
        assert!(statement["NotAction"].is_null() && statement["NotResource"].is_null(), "{statement}");
        let not = if statement["Effect"] == "Deny" { "never " } else { "" };
        let resources = on.map_or_else(|| texts(&statement["Resource"]), |on| vec![on.to_owned()]);
        let mut when = Vec::new();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            let (operator, if_exists) = match operator.strip_suffix("IfExists") {
                Some(operator) => (operator, ", if given"),
                None => (operator.as_str(), ""),
            };
            assert!(
                ["Bool", "StringEquals", "StringNotEquals", "StringLike", "ArnEquals", "ArnLike", "Null"]
                    .contains(&operator),
                "say how {operator} is written"
            );
            for (key, values) in keys.as_object().unwrap() {
                if operator == "Null" {
                    when.push(format!("{} is {}", code(key), if *values == "false" { "given" } else { "not given" }));
                    continue;
                }
                let values: Vec<_> = texts(values).iter().map(|value| code(value)).collect();
                let is = match operator {
                    "StringNotEquals" => "is not",
                    like if like.ends_with("Like") => "is like",
                    _ => "is",
                };
                when.push(format!("{} {is} {}{if_exists}", code(key), values.join(" or ")));
            }
        }
        // Whether JSON keeps its order depends on what else is built.
        when.sort();
        Self {
            who: BTreeSet::from([who.to_owned()]),
            may: texts(&statement["Action"]).iter().map(|action| format!("{not}{}", code(action))).collect(),
            on: resources.iter().map(|resource| code(resource)).collect(),
            when,
        }
    }

    fn line(&self, why: &str) -> String {
        let list = |items: &mut dyn Iterator<Item = &String>| items.cloned().collect::<Vec<_>>().join(", ");
        let (who, may, on) = (list(&mut self.who.iter()), list(&mut self.may.iter()), list(&mut self.on.iter()));
        format!("| {who} | {may} | {on} | {} | {why} |", self.when.join(" and "))
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A value of the template in words: each where it is a list.
fn texts(value: &Value) -> Vec<String> {
    if let Some(list) = value.as_array() {
        return list.iter().flat_map(texts).collect();
    }
    if let Some(choice) = value["Fn::If"].as_array() {
        return choice[1..].iter().filter(|item| item["Ref"] != "AWS::NoValue").flat_map(texts).collect();
    }
    let text = value
        .as_str()
        .or_else(|| value["Ref"].as_str())
        .or_else(|| value["Fn::GetAtt"][0].as_str())
        .or_else(|| value["Fn::Sub"].as_str());
    let text = text.unwrap_or_else(|| panic!("say how this is written: {value}"));
    let pseudo = [
        ("${AWS::Partition}", "aws"),
        ("${AWS::Region}", "<region>"),
        ("${AWS::AccountId}", "<account>"),
        ("AWS::AccountId", "<account>"),
        (".Arn}", "}"),
        (".Name}", "}"),
        ("${", ""),
        ("}", ""),
    ];
    vec![pseudo.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))]
}

/// The statements of a policy, each with the condition of the template under which it is there.
fn statements(document: &Value) -> Vec<(Option<&str>, &Value)> {
    let statements = document["Statement"].as_array().unwrap().iter();
    let given = statements.map(|statement| match statement["Fn::If"].as_array().map(Vec::as_slice) {
        Some([condition, given, none]) if none["Ref"] == "AWS::NoValue" => (condition.as_str(), given),
        Some(choice) => panic!("say how a choice of statements is written: {choice:?}"),
        None => (None, statement),
    });
    given.collect()
}

/// Whom a statement of a resource's policy speaks of.
fn principals(statement: &Value) -> Vec<String> {
    let named = match &statement["Principal"] {
        principal if principal == "*" => return vec!["anybody".to_owned()],
        Value::Object(kinds) => kinds.values().flat_map(texts).collect(),
        service => texts(service),
    };
    named.iter().map(|name| code(name)).collect()
}

/// What our roles may do, and what services may do with what is ours.
fn permissions(template: &Value) -> [Vec<Permission>; 2] {
    let resources = template["Resources"].as_object().unwrap();
    let (mut roles, mut services) = (Vec::new(), Vec::new());
    // Where the whole resource or a statement is there under a condition of the template only.
    let given = |mut permission: Permission, condition: Option<&str>| {
        permission.when.extend(condition.map(code));
        permission
    };
    for (id, role) in of_type(template, "AWS::IAM::Role") {
        let owner = id.strip_suffix("Role").filter(|owner| resources.contains_key(*owner)).unwrap_or(id);
        let who = code(owner);
        let condition = resources[id]["Condition"].as_str();
        for (_, trust) in statements(&role["AssumeRolePolicyDocument"]) {
            for service in principals(trust) {
                services.push(given(Permission::of(&service, trust, Some(&format!("role of {owner}"))), condition));
            }
        }
        for policy in role["ManagedPolicyArns"].as_array().into_iter().flatten() {
            if let Some(ours) = policy["Ref"].as_str() {
                for (given_by, statement) in statements(&resources[ours]["Properties"]["PolicyDocument"]) {
                    roles.push(given(Permission::of(&who, statement, None), given_by));
                }
            } else {
                let name = texts(policy).remove(0);
                let may = vec![format!("what {} allows", code(name.rsplit('/').next().unwrap()))];
                roles.push(Permission {
                    who: BTreeSet::from([who.clone()]),
                    may,
                    on: BTreeSet::from([code("*")]),
                    when: Vec::new(),
                });
            }
        }
        for policy in role["Policies"].as_array().unwrap() {
            for (given_by, statement) in statements(&policy["PolicyDocument"]) {
                roles.push(given(Permission::of(&who, statement, None), given_by.or(condition)));
            }
        }
    }
    for kind in ["AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"] {
        for policy in of_type(template, kind).values() {
            for (given_by, statement) in statements(&policy["PolicyDocument"]) {
                for who in principals(statement) {
                    services.push(given(Permission::of(&who, statement, None), given_by));
                }
            }
        }
    }
    for permission in of_type(template, "AWS::Lambda::Permission").values() {
        let source = texts(&permission["SourceArn"]).iter().map(|source| code(source)).collect::<Vec<_>>().join(" or ");
        services.push(Permission {
            who: principals(permission).into_iter().collect(),
            may: vec![code(permission["Action"].as_str().unwrap())],
            on: texts(&permission["FunctionName"]).iter().map(|function| code(function)).collect(),
            when: vec![format!("{} is {source}", code("aws:SourceArn"))],
        });
    }
    // The keys of a stack have policies as well, inside their properties.
    for (id, resource) in resources {
        for (given_by, statement) in resource["Properties"].get("KeyPolicy").map(statements).into_iter().flatten() {
            for who in principals(statement) {
                services.push(given(Permission::of(&who, statement, Some(id)), given_by));
            }
        }
    }
    // What is the same for all functions, or for both workflows, is said once.
    let is_common = |permission: &Permission| {
        let first = permission.may[0].as_str();
        ["what ", "`logs:", "`xray:"].iter().any(|start| first.starts_with(start))
            || permission.when.iter().any(|when| when.starts_with("`kms:EncryptionContext:aws:lambda:"))
    };
    let roles = merge(roles, |permission| &mut permission.who, is_common);
    let is_trust = |permission: &Permission| permission.may == ["`sts:AssumeRole`"];
    let services = merge(services, |permission| &mut permission.on, is_trust);
    [roles, services]
}

/// Puts those of some permissions together that differ in one member alone.
fn merge(
    all: Vec<Permission>,
    member: fn(&mut Permission) -> &mut BTreeSet<String>,
    is_common: fn(&Permission) -> bool,
) -> Vec<Permission> {
    let mut merged: Vec<Permission> = Vec::new();
    let without = |permission: &Permission| {
        let mut rest = permission.clone();
        member(&mut rest).clear();
        rest
    };
    for mut permission in all {
        let same = merged.iter_mut().find(|known| is_common(known) && without(known) == without(&permission));
        match same {
            Some(known) => member(known).append(member(&mut permission)),
            None => merged.push(permission),
        }
    }
    merged
}

/// The cells of a row of the page's tables: who, may, on, when, why.
fn cells(line: &str) -> Option<[&str; 5]> {
    line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect::<Vec<_>>().try_into().ok()
}

/// The reason that the page gave for a permission, though who has it or on what may have grown or shrunk. None where more
/// than one could be meant.
fn reason<'p>(old: &'p str, permission: &str) -> Option<&'p str> {
    let [who, may, on, when, _] = cells(permission)?;
    let share = |one: &str, other: &str| one.split(", ").any(|item| other.split(", ").any(|known| known == item));
    let rows: Vec<_> = old.lines().filter_map(cells).collect();
    let same = rows.iter().find(|row| row[..4] == [who, may, on, when]);
    let mut alike = rows.iter().filter(|row| row[1] == may && share(row[0], who) && share(row[2], on));
    same.or_else(|| alike.next().filter(|_| alike.next().is_none())).map(|row| row[4])
}

/// The page with these permissions in its tables, and the reasons that it gave already.
fn page_of(old: &str, tables: &[Vec<Permission>; 2]) -> String {
    let mut lines = old.lines().peekable();
    let mut page = String::new();
    while let Some(line) = lines.next() {
        page += line;
        page.push('\n');
        let Some(table) = HEADS.iter().position(|head| line.starts_with(head)) else { continue };
        page += "|---|---|---|---|---|\n";
        while lines.next_if(|line| line.starts_with('|')).is_some() {}
        for permission in &tables[table] {
            let line = permission.line("?");
            let why = reason(old, &line).unwrap_or("?");
            page += &permission.line(why);
            page.push('\n');
        }
    }
    page
}

#[tokio::test]
async fn the_page_of_permissions_is_what_the_template_grants_each_with_its_reason() {
    let file = root().join("statemachine/PERMISSIONS.md");
    let old = fs::read_to_string(&file).unwrap();
    let new = page_of(&old, &permissions(&template(&[]).await));
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, &new).unwrap();
    }
    let (had, has): (BTreeSet<_>, BTreeSet<_>) = (old.lines().collect(), new.lines().collect());
    let mut wrong: Vec<_> = had.difference(&has).map(|line| format!("- {line}")).collect();
    wrong.extend(has.difference(&had).map(|line| format!("+ {line}")));
    wrong.extend(has.iter().filter(|line| line.ends_with("| ? |")).map(|line| format!("a reason is wanting: {line}")));
    assert!(
        wrong.is_empty() && old == new,
        "{} is not what the template grants; UPDATE=1 mends all but the reasons:\n{}",
        file.display(),
        wrong.join("\n")
    );
    assert!(HEADS.iter().all(|head| new.contains(head)));
}

#[tokio::test]
async fn a_workflow_may_call_the_functions_that_it_calls_and_no_other() {
    let template = template(&[]).await;
    let roles = of_type(&template, "AWS::IAM::Role");
    for (id, workflow) in of_type(&template, "AWS::StepFunctions::StateMachine") {
        let definition = workflow["Definition"].to_string();
        let named = definition.split("${").skip(1).filter_map(|rest| rest.split_once("FunctionArn}"));
        let called: BTreeSet<String> = named.map(|(function, _)| format!("{function}Function")).collect();
        let may: BTreeSet<String> = roles[format!("{id}Role").as_str()]["Policies"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|policy| statements(&policy["PolicyDocument"]))
            .filter(|(_, statement)| statement["Action"] == "lambda:InvokeFunction")
            .flat_map(|(_, statement)| texts(&statement["Resource"]))
            // Any of its published versions.
            .map(|function| function.trim_end_matches(":*").to_owned())
            .collect();
        assert_eq!(may, called, "{id}");
        assert!(called.len() >= 2, "{called:?}");
    }
}
