//! What is said of tasks that have not ended, and what they wait for.

use crate::scheduler::shared::Shared;
use crate::scheduler::shutdown::Left;
use crate::task::Schedule;
use crate::task::cancel;
use crate::task::error::{Problem, Trouble};
use crate::task::handle::TaskRef;

/// Says that nothing can happen any more, and what every task waits for (rule H14).
pub(super) fn stalled(shared: &Shared) -> String {
    let text = "nothing can happen any more: nothing is ready, no timer is armed, no other thread has come".to_owned();
    with_list(text, &shared.all_tasks())
}

/// Reports what had to be left when the time to clean up was over.
pub(super) fn report_unfinished(shared: &Shared, left: &[TaskRef]) {
    if left.is_empty() {
        return;
    }
    let text = format!(
        "{} tasks did not end of being cancelled, and are dropped",
        left.len()
    );
    shared.report(Problem::new(Trouble::Shutdown, with_list(text, left)));
}

/// Reports what a shutdown has left behind.
pub(super) fn report_left(shared: &Shared, left: &Left) {
    if left.n_tasks == 0 && left.n_threads == 0 {
        return;
    }
    let Left { n_tasks, n_threads } = left;
    let text = format!("{n_threads} threads and {n_tasks} tasks did not end in time");
    let tasks = shared.all_tasks();
    shared.report(Problem::new(Trouble::Shutdown, with_list(text, &tasks)));
}

/// The most tasks that a report lists.
const LISTED_MAX: usize = 16;

/// A text, followed by tasks and what they wait for.
fn with_list(mut text: String, tasks: &[TaskRef]) -> String {
    for (index, task) in tasks.iter().take(LISTED_MAX).enumerate() {
        text.push_str(if index == 0 { ": " } else { "; " });
        text.push_str(&task.ptr().describe());
        match cancel::describe_wait(task.ptr()) {
            Some(target) => text.extend([" waits for ", &target]),
            None => text.push_str(" is running or queued"),
        }
    }
    if tasks.len() > LISTED_MAX {
        text.push_str(&format!("; and {} more", tasks.len() - LISTED_MAX));
    }
    text
}
