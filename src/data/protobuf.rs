//! Protocol buffers, as far as ONNX and TensorBoard need them. Nothing is read back.

/// A message that is being written: its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut x: u64) {
        while x >= 128 {
            self.0.push((x as u8) | 128);
            x >>= 7;
        }
        self.0.push(x as u8);
    }

    pub fn number(mut self, field: u64, x: i64) -> Self {
        self.varint(field << 3);
        self.varint(x as u64);
        self
    }

    pub fn float(mut self, field: u64, x: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(x.to_le_bytes());
        self
    }

    pub fn double(mut self, field: u64, x: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend(x.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, part: &Message) -> Self {
        self.bytes(field, &part.0)
    }

    pub fn all(self, field: u64, parts: &[Message]) -> Self {
        parts.iter().fold(self, |m, p| m.message(field, p))
    }
}
