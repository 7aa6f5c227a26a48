//! A large JSON text -> the few fields of it that matter, the rest never held in memory.

use std::fmt;
use std::io::{self, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// GitHub has no longer name, ref or description; a longer text counts as unknown.
const MAX_TEXT: usize = 4096;
const MAX_DEPTH: usize = 128;

/// Reads the fields at `pointers`, each a path of keys with slashes between; a field that is missing, or is
/// no scalar, is not there.
pub(super) fn read(reader: impl Read, pointers: &[&str]) -> serde_json::Result<Value> {
    let paths = pointers
        .iter()
        .map(|pointer| pointer.split('/').skip(1).collect());
    let fields = Fields(paths.collect());
    let mut json = serde_json::Deserializer::from_reader(io::BufReader::new(Shallow::new(reader)));
    let value = fields.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// The rest of each path below the current position.
struct Fields<'p>(Vec<Vec<&'p str>>);

impl<'p> Fields<'p> {
    fn below(&self, key: &str) -> Self {
        let paths = self.0.iter().filter(|path| path.first() == Some(&key));
        Self(
            paths
                .map(|path| path[1..].to_vec())
                .collect::<Vec<Vec<&'p str>>>(),
        )
    }

    fn is_field(&self) -> bool {
        self.0.iter().any(Vec::is_empty)
    }
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let below = self.below(&key);
            if below.0.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                object.insert(key, map.next_value_seed(below)?);
            }
        }
        Ok(Value::Object(object))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(Vec::new()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        let is_wanted = self.is_field() && text.len() <= MAX_TEXT;
        Ok(if is_wanted {
            Value::from(text)
        } else {
            Value::Null
        })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_bool<E: Error>(self, is_true: bool) -> Result<Value, E> {
        Ok(Value::from(is_true))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// A reader that limits the nesting: a parser that skips nested brackets remembers each.
struct Shallow<R> {
    reader: R,
    depth: usize,
    is_text: bool,
    is_escaped: bool,
}

impl<R> Shallow<R> {
    fn new(reader: R) -> Self {
        Self {
            reader,
            depth: 0,
            is_text: false,
            is_escaped: false,
        }
    }

    fn see(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_text => self.is_escaped = true,
            b'"' => self.is_text = !self.is_text,
            b'[' | b'{' if !self.is_text => self.depth += 1,
            b']' | b'}' if !self.is_text => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

impl<R: Read> Read for Shallow<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        for byte in &buffer[..length] {
            self.see(*byte);
            if self.depth > MAX_DEPTH {
                return Err(io::Error::other("it is nested too deeply"));
            }
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const POINTERS: &[&str] = &["/a/b", "/a/c", "/n", "/a/d/e"];

    #[track_caller]
    fn check(text: &str, expected: &Value) {
        assert_eq!(&read(text.as_bytes(), POINTERS).unwrap(), expected);
    }

    #[test]
    fn only_the_fields_are_kept() {
        let text = r#"{"x":[{"a":1}],"a":{"b":"é","x":{"b":2},"d":"e","c":[1,[2]]},"n":7}"#;
        check(text, &json!({"a": {"b": "é", "d": null, "c": []}, "n": 7}));
        check("[1]", &json!([]));
        check(r#"{"a":null,"n":-1.5}"#, &json!({"a": null, "n": -1.5}));
        let long = "x".repeat(MAX_TEXT + 1);
        check(
            &format!(r#"{{"a":{{"b":"{long}"}}}}"#),
            &json!({"a": {"b": null}}),
        );
    }

    #[test]
    fn invalid_or_too_deep_json_is_refused() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
        for text in ["", "{", "{}{}", "{\"x\":[}", deep.as_str()] {
            assert!(read(text.as_bytes(), POINTERS).is_err(), "{text}");
        }
        assert!(read(&b"{\"a\":\"[[[\\\"[[\"}"[..], POINTERS).is_ok());
    }
}
