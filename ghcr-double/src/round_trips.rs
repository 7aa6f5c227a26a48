//! Counts round trips: requests that wait for each other, whatever the time they take.

use crate::http::request::Seen;

/// The largest number of requests each of which arrived after the response to the one before: what a slow network
/// makes the client wait for. Delay the responses, so that requests that the client sends at once overlap.
#[must_use]
pub fn round_trips(requests: &[Seen]) -> usize {
    let mut in_order: Vec<&Seen> = requests.iter().collect();
    // A request without a response is followed by none.
    in_order.sort_by_key(|seen| seen.responded.unwrap_or(usize::MAX));
    let (mut trips, mut last) = (0, 0);
    for seen in in_order {
        if seen.arrived > last {
            trips += 1;
            last = seen.responded.unwrap_or(usize::MAX);
        }
    }
    trips
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::round_trips;
    use crate::http::endpoint::Endpoint;
    use crate::http::request::{Credential, Seen};

    /// Requests by the places of their arrivals and responses.
    #[track_caller]
    fn check(requests: &[(usize, Option<usize>)], expected: usize) {
        let requests = requests.iter().map(|&(arrived, responded)| Seen {
            method: "GET".to_owned(),
            host: String::new(),
            path: String::new(),
            query: String::new(),
            endpoint: Endpoint::Other,
            credential: Credential::None,
            status: None,
            at: Duration::ZERO,
            arrived,
            responded,
        });
        let requests: Vec<Seen> = requests.collect();
        assert_eq!(round_trips(&requests), expected);
    }

    #[test]
    fn requests_that_overlap_are_one_round_trip() {
        check(&[], 0);
        check(&[(1, Some(2)), (3, Some(4))], 2);
        check(&[(1, Some(3)), (2, Some(4))], 1);
        check(&[(1, Some(3)), (2, Some(6)), (4, Some(5))], 2);
        check(&[(1, None), (2, Some(3)), (4, Some(5))], 2);
    }
}
