//! Answers that are kept, so that nothing is asked twice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

/// An answer, and when its question was sent. It is locked while the question is under way.
type Slot<V> = Arc<tokio::sync::Mutex<Option<(Instant, V)>>>;

/// The answer to each question.
pub(crate) struct Answers<K, V>(Mutex<BTreeMap<K, Slot<V>>>);

impl<K: Ord + Clone, V: Clone> Answers<K, V> {
    /// The kept answer if the time of its question `is_good`; else that of `ask`, which is kept unless it is an error. A
    /// question that is under way is waited for.
    pub(crate) async fn get<E>(
        &self,
        question: &K,
        is_good: impl Fn(Instant) -> bool,
        ask: impl Future<Output = Result<V, E>>,
    ) -> Result<(Instant, V), E> {
        let slot = Arc::clone(self.slots().entry(question.clone()).or_default());
        let mut kept = slot.lock().await;
        if let Some((asked, answer)) = kept.as_ref().filter(|(asked, _)| is_good(*asked)) {
            return Ok((*asked, answer.clone()));
        }
        let asked = Instant::now();
        let answer = ask.await?;
        *kept = Some((asked, answer.clone()));
        Ok((asked, answer))
    }

    /// The kept answer, if no question is under way.
    pub(crate) fn kept(&self, question: &K) -> Option<(Instant, V)> {
        let slot = Arc::clone(self.slots().get(question)?);
        let kept = slot.try_lock().ok()?;
        kept.clone()
    }

    pub(crate) fn forget(&self, question: &K) {
        self.slots().remove(question);
    }

    pub(crate) fn len(&self) -> usize {
        self.slots().len()
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<K, Slot<V>>> {
        self.0.lock().expect("no holder panics")
    }
}

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V> fmt::Debug for Answers<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn question_that_is_under_way_is_not_asked_again() {
        let answers = Answers::default();
        let asked = Cell::new(0);
        let ask = async || {
            asked.set(asked.get() + 1);
            tokio::task::yield_now().await;
            Ok::<_, ()>(asked.get())
        };
        let get = |is_good: bool| answers.get(&"a", move |_asked| is_good, ask());
        let (one, two) = tokio::join!(get(true), get(true));
        assert_eq!((one.unwrap().1, two.unwrap().1), (1, 1));
        assert_eq!(get(false).await.unwrap().1, 2);
        answers.forget(&"a");
        assert_eq!(get(true).await.unwrap().1, 3);
    }

    #[tokio::test]
    async fn error_is_not_kept() {
        let answers = Answers::default();
        let failed = answers.get(&1, |_asked| true, async { Err::<u8, _>("refused") });
        assert_eq!(failed.await.unwrap_err(), "refused");
        assert!(answers.kept(&1).is_none());
        let asked = answers.get(&1, |_asked| true, async { Ok::<_, ()>(7) });
        assert_eq!(asked.await.unwrap().1, 7);
        assert_eq!(answers.kept(&1).unwrap().1, 7);
    }
}
