//! What a function writes to its log: one JSON object a line, each with the run that it is about.

use std::future::Future;
use std::time::SystemTime;

use lambda_runtime::LambdaEvent;
use lambda_runtime::tracing::subscriber::fmt::MakeWriter;
use lambda_runtime::tracing::subscriber::util::SubscriberInitExt;
use lambda_runtime::tracing::{Instrument, Level, Span, error, field, info_span, subscriber};

use crate::error::Error;
use crate::execution::{Execution, Moment};

/// Sets up logging. Not finer than `INFO`, whatever the environment says: the runtime and the SDK would print payloads
/// and requests, and these bear user ids and SQL text.
pub fn init() {
    lines(std::io::stdout).init();
}

fn lines<W: for<'w> MakeWriter<'w> + Send + Sync + 'static>(writer: W) -> impl SubscriberInitExt {
    subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(Level::INFO)
        .with_target(false)
        .with_span_list(false)
        .with_ansi(false)
        .with_writer(writer)
        .finish()
}

/// Answers an event with `handle`. Each line that is written meanwhile bears `span.requestId` and, once it is known,
/// `span.run`; an error is a line of its own, since the workflow's log keeps no data.
pub async fn call<E, T, F>(event: LambdaEvent<E>, handle: impl FnOnce(E) -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let LambdaEvent { payload, context } = event;
    let span = info_span!("call", requestId = context.request_id, run = field::Empty, ageSeconds = field::Empty);
    let answer = async {
        let answer = handle(payload).await;
        if let Err(error) = &answer {
            error!(error = error.name.as_str(), cause = error.message, "the call failed");
        }
        answer
    };
    answer.instrument(span).await
}

/// Says which run this call is about, and how old it is: what is watched while it is under way.
pub fn about(execution: &Execution) {
    about_run(&execution.name);
    let age = Moment::from(SystemTime::now()).seconds_since(execution.start_time);
    Span::current().record("ageSeconds", age.max(0));
}

/// Says which run this call is about, by its execution's name.
pub fn about_run(execution_name: &str) {
    Span::current().record("run", execution_name);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
    use aws_smithy_runtime_api::http::{Request, Response};
    use aws_smithy_types::body::SdkBody;
    use lambda_runtime::Context;
    use serde_json::{Value, json};

    use super::*;
    use crate::error::ErrorName;

    /// What would have gone to standard output.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        fn lines(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    /// Answers all calls with these statuses, in order.
    #[derive(Debug)]
    struct Answers(Mutex<Vec<u16>>);

    impl HttpConnector for Answers {
        fn call(&self, _: Request) -> HttpConnectorFuture {
            let status = self.0.lock().unwrap().remove(0);
            HttpConnectorFuture::ready(Ok(Response::new(status.try_into().unwrap(), SdkBody::from("{}"))))
        }
    }

    fn execution() -> Execution {
        let execution = json!({"id": "arn:aws:states:us-east-1:123456789012:execution:a:spring-1", "name": "spring-1",
            "startTime": "2026-11-22T16:00:00Z"});
        serde_json::from_value(execution).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_call_to_aws_is_a_line_with_its_run_and_its_outcome_and_nothing_that_was_said() {
        let written = Written::default();
        let writer = written.clone();
        let _lines = lines(move || writer.clone()).set_default();
        let answers = Answers(Mutex::new(vec![500, 200]));
        let config = crate::client::tests::config_of(&[], answers).await;
        let ml = crate::client!(aws_sdk_cleanroomsml, &config);
        let event = LambdaEvent::new(execution(), Context::default());
        let answer = call(event, async |execution| {
            about(&execution);
            let asked = ml.list_audience_export_jobs().audience_generation_job_arn("SECRET").send().await;
            assert_eq!(asked.unwrap().audience_export_jobs().len(), 0);
            Err::<(), _>(Error::new(ErrorName::NotFound, "why"))
        });
        assert!(answer.await.is_err());
        // The SDK says that it misses a connection, which this test has none of.
        let mut lines = written.lines();
        lines.retain(|line| line["message"].as_str().is_some_and(|message| message.contains("call")));
        let told = |field: &str| lines.iter().map(|line| line[field].clone()).collect::<Vec<_>>();
        assert_eq!(told("message"), ["called AWS", "called AWS", "the call failed"]);
        assert_eq!(told("operation")[..2], ["ListAudienceExportJobs", "ListAudienceExportJobs"]);
        assert_eq!(told("status")[..2], [500, 200]);
        assert!(told("milliseconds")[..2].iter().all(Value::is_number));
        assert_eq!(
            (&lines[2]["level"], &lines[2]["error"], &lines[2]["cause"]),
            (&json!("ERROR"), &json!("NotFound"), &json!("why"))
        );
        for line in &lines {
            assert_eq!(line["span"]["run"], "spring-1");
            assert!(line["span"]["ageSeconds"].as_u64().unwrap() > 0);
            assert!(!line.to_string().contains("SECRET"));
        }
    }

    #[tokio::test]
    async fn a_call_that_is_about_no_run_yet_says_so_by_leaving_it_out() {
        let written = Written::default();
        let writer = written.clone();
        let _lines = lines(move || writer.clone()).set_default();
        let event = LambdaEvent::new((), Context::default());
        let _ = call(event, async |()| Err::<(), _>(Error::new(ErrorName::InvalidRequest, "why"))).await;
        let span = written.lines()[0]["span"].clone();
        assert_eq!((span.get("run"), span["requestId"].is_string()), (None, true));
    }
}
