//! [`Object`]: a JSON object whose fields stand in the order in which they are put.

/// A JSON object on its way to a line.
pub(crate) struct Object<'a> {
    line: &'a mut Vec<u8>,
    next: u8,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(line: &'a mut Vec<u8>) -> Object<'a> {
        Object { line, next: b'{' }
    }

    /// Puts a field. Its name needs no escapes.
    pub(crate) fn put(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.line.push(self.next);
        self.next = b',';
        self.line.extend_from_slice(format!("\"{name}\":{}", value.into()).as_bytes());
    }

    /// Ends it. An object has a field at least.
    pub(crate) fn end(self) {
        self.line.push(b'}');
    }
}
