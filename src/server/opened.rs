//! The documents of the engine, opened when they are first needed: opening writes, and most servers have none.

use crate::document::{self, Documents};
use crate::store::StorageEngine;
use crate::sync::plain::Mutex;
use crate::{Error, Result};
use std::sync::Arc;

/// Documents that are open, or can be.
pub(super) struct Opened {
    engine: Arc<dyn StorageEngine>,
    documents: Mutex<Option<Documents>>,
}

impl Opened {
    /// Opens what is there.
    pub(super) fn new(engine: &Arc<dyn StorageEngine>) -> Result<Opened> {
        let opened = Opened { engine: Arc::clone(engine), documents: Mutex::new(None) };
        match Documents::are_in(&**engine) {
            Ok(true) => drop(opened.get()?),
            // An engine that was opened for reading only has no place for them if they are not there.
            Ok(false) | Err(document::Error::Engine(Error::ReadOnly { .. })) => {}
            Err(error) => return Err(plain(error)),
        }
        Ok(opened)
    }

    /// The documents. It may write, and wait for that, and for others who do.
    ///
    /// # Errors
    /// The engine holds none, or could not write.
    pub(super) fn get(&self) -> Result<Documents> {
        let mut documents = self.documents.lock();
        if let Some(documents) = &*documents {
            return Ok(documents.clone());
        }
        let opened = Documents::open(Arc::clone(&self.engine)).map_err(plain)?;
        Ok(documents.insert(opened).clone())
    }

    /// The documents, if somebody needed them.
    pub(super) fn there(&self) -> Option<Documents> {
        self.documents.lock().clone()
    }
}

/// The engine's own error, or the words of the documents.
pub(super) fn plain(error: document::Error) -> Error {
    match error {
        document::Error::Engine(error) => error,
        error => Error::invalid(error.to_string()),
    }
}
