// Records what the reference implementation of JSONata answers for every expression of the workflows, and for some
// more. The answers are in recorded.json, which the tests read: they need neither Node.js nor this script.
//
// After a workflow's expressions have changed, in this folder:
//
//     npm install --no-save jsonata@2.2.2 && node record.mjs && rm -r node_modules
//
// Each expression of a workflow is evaluated with each set of variables that variables.json has for the workflow. An
// expression with $random() has 0.5 in its place, and one with a parameter of the stack its default. A case without an
// answer is an expression that fails, or that returns nothing or an infinite number.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import jsonata from "jsonata";

const folder = new URL("../../statemachine/", import.meta.url);
const { sets, more } = JSON.parse(readFileSync(new URL("variables.json", import.meta.url), "utf8"));

function expressions(value) {
  if (typeof value === "string") return /^\{%.*%\}$/s.test(value) ? [value.slice(2, -2).trim()] : [];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(expressions) : [];
}

function fixed(expression) {
  return expression.replaceAll("$random()", "0.5").replaceAll("${DeadlineSeconds}", "172800");
}

function parse(text) {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw { code: "D3138" };
  }
}

async function answer(expression, variables) {
  const parsed = jsonata(expression);
  parsed.registerFunction("parse", parse, "<s:x>");
  try {
    const result = await parsed.evaluate(undefined, structuredClone(variables));
    return result === undefined || result === Infinity || result === -Infinity ? {} : { answer: result };
  } catch (error) {
    return error.code === undefined ? Promise.reject(error) : {};
  }
}

const cases = [];
for (const file of readdirSync(folder).filter((name) => name.endsWith(".asl.json")).sort()) {
  const found = expressions(JSON.parse(readFileSync(new URL(file, folder), "utf8")));
  for (const expression of new Set(found.map(fixed))) {
    for (const [set, variables] of Object.entries(sets[file] ?? {})) {
      cases.push({ file, set, expression, ...(await answer(expression, variables)) });
    }
  }
}
for (const expression of more.expressions) {
  cases.push({ file: null, set: null, expression, ...(await answer(expression, more.variables)) });
}
const lines = cases.map((one) => `  ${JSON.stringify(one)}`);
writeFileSync(new URL("recorded.json", import.meta.url), `[\n${lines.join(",\n")}\n]\n`);
console.log(`${cases.length} cases, ${cases.filter((one) => !("answer" in one)).length} without an answer`);
