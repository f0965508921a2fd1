//! Reads a crash's annotations for a walk: who signed which module, and the microcode version.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::bounds::{self, beginning, Bounded};

#[derive(Default)]
pub struct Annotations {
    /// The signer of a module, by its file name.
    pub certificates: HashMap<String, Rc<str>>,
    microcode_version: Option<String>,
}

impl Annotations {
    /// Reads a JSON file of annotations; empty if that fails.
    pub fn read(path: &Path, bounded: &mut Bounded) -> Annotations {
        let Ok(file) = File::open(path) else { return Annotations::default() };
        let seen = Cell::new(0);
        let mut reader = serde_json::Deserializer::from_reader(BufReader::new(file));
        let top = reader.deserialize_map(Top(&seen)).and_then(|top| reader.end().map(|()| top));
        let (signatures, microcode) = top.unwrap_or_default();
        let mut annotations = Annotations { microcode_version: microcode.text(), ..Default::default() };
        for (signer, modules) in signatures.map(&seen).unwrap_or_default() {
            let signer: Rc<str> = beginning(&signer, bounds::CERTIFICATE).into();
            annotations.certificates.extend(modules.into_iter().map(|module| (module, signer.clone())));
        }
        if seen.get() > bounds::CERTIFIED_MODULES {
            bounded.count("certified_modules", seen.get());
        }
        annotations
    }

    /// The microcode version as it is printed.
    pub fn microcode_version(&self) -> Option<Value> {
        let digits = self.microcode_version.as_deref()?.strip_prefix("0x")?;
        let number = u64::from_str_radix(digits, 16).ok()?;
        Some(format!("{number:#x}").into())
    }
}

/// The two annotations that are read.
struct Top<'a>(&'a Cell<usize>);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = (Part, Part);

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object of annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut signatures, mut microcode) = Self::Value::default();
        while let Some(key) = fields.next_key::<String>()? {
            match key.as_str() {
                "ModuleSignatureInfo" => {
                    self.0.set(0);
                    signatures = fields.next_value_seed(Reader(self.0))?;
                }
                "CPUMicrocodeVersion" => microcode = fields.next_value_seed(Reader(&Cell::new(0)))?,
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok((signatures, microcode))
    }
}

/// A part of JSON, of which only texts, lists of texts and maps of lists are kept.
#[derive(Default)]
enum Part {
    Text(String),
    List(Vec<String>),
    Map(Vec<(String, Vec<String>)>),
    #[default]
    Other,
}

impl Part {
    fn text(self) -> Option<String> {
        match self {
            Part::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The map of lists in this part, which may also be a string of JSON.
    fn map(self, seen: &Cell<usize>) -> Option<Vec<(String, Vec<String>)>> {
        match self {
            Part::Map(map) => Some(map),
            Part::Text(text) => {
                seen.set(0);
                let mut reader = serde_json::Deserializer::from_str(&text);
                match Reader(seen).deserialize(&mut reader) {
                    Ok(Part::Map(map)) if reader.end().is_ok() => Some(map),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Reads one part. Counts the texts of all lists, and keeps no more than the bound.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Part;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Part;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Part, E> {
        Ok(Part::Text(text.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Part, A::Error> {
        let mut texts = Some(vec![]);
        while let Some(item) = items.next_element_seed(self)? {
            match item {
                Part::Text(text) => {
                    self.0.set(self.0.get() + 1);
                    if let Some(texts) = texts.as_mut().filter(|_| self.0.get() <= bounds::CERTIFIED_MODULES) {
                        texts.push(text);
                    }
                }
                _ => texts = None,
            }
        }
        Ok(texts.map_or(Part::Other, Part::List))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Part, A::Error> {
        let mut lists = Some(vec![]);
        while let Some(key) = fields.next_key::<String>()? {
            match fields.next_value_seed(self)? {
                Part::List(texts) if texts.is_empty() => (),
                Part::List(texts) => lists.iter_mut().for_each(|lists| lists.push((key.clone(), texts.clone()))),
                _ => lists = None,
            }
        }
        Ok(lists.map_or(Part::Other, Part::Map))
    }
}
