//! A catalogue of books as documents: a schema, a unique value, indexes, queries by page, updates, and how queries are answered.
//!
//! `cargo run --example documents [FOLDER]`

use serde::{Deserialize, Serialize};
use serde_json::json;
use siltstone::Db;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Error, Query, Table};
use siltstone::store::LsmEngine;
use std::sync::Arc;

/// A book, as this program knows it. The table adds `pk`, which we do not need.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Book {
    isbn: String,
    title: String,
    authors: Vec<String>,
    year: i32,
    stock: Stock,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stock {
    count: u32,
    shelf: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "books".into());
    let db = Db::open(folder)?;
    let documents = Documents::open(Arc::new(LsmEngine::new(db.clone())))?;
    let books = table(&documents)?;
    fill(&books)?;
    look(&books)?;
    change(&books)?;
    db.close()?;
    Ok(())
}

/// The table, made anew. What its documents are like stands in its schema, and a wrong one is refused.
fn table(documents: &Documents) -> Result<Table, Error> {
    match documents.drop_table("shop", "book") {
        Ok(()) | Err(Error::NoTable { .. }) => {}
        Err(error) => return Err(error),
    }
    let schema = Value::from(json!({
        "isbn": {"type": "str", "required": true, "unique": true, "pattern": "[0-9]{13}$"},
        "title": {"type": "str", "required": true, "min_length": 1},
        "authors": {"type": "array", "items": "str", "default": []},
        "year": {"type": "int", "min": 1450},
        "stock": {"type": "object", "fields": {"count": {"type": "int", "min": 0}, "shelf": "str"}},
    }));
    let books = documents.create_table("shop", "book", Some(&schema))?;
    // Both are there before the documents, so there is little to build. Otherwise the closure would be told how far it is, while others
    // read and write.
    books.create_index(json!({"columns": {"authors": 1}}), |_| {})?;
    books.create_index(json!({"columns": {"stock.shelf": 1, "year": -1}}), |_| {})?;
    Ok(books)
}

fn book(n: usize, title: &str, authors: &[&str], year: i32, shelf: &str) -> Book {
    let authors = authors.iter().map(ToString::to_string).collect();
    let stock = Stock { count: 3, shelf: shelf.into() };
    Book {
        isbn: format!("{:013}", 9_780_000_000_000_u64 + n as u64),
        title: title.into(),
        authors,
        year,
        stock,
    }
}

fn fill(books: &Table) -> Result<(), Error> {
    let some = [
        book(1, "The Art of Computer Programming", &["Knuth"], 1968, "A1"),
        book(2, "Concrete Mathematics", &["Graham", "Knuth", "Patashnik"], 1989, "A1"),
        book(3, "The C Programming Language", &["Kernighan", "Ritchie"], 1978, "A2"),
        book(4, "Transaction Processing", &["Gray", "Reuter"], 1992, "A2"),
    ];
    for book in &some {
        books.insert_as(book)?;
    }
    // Everything that is wrong with a document is told at once, and nothing of it is stored.
    match books.insert(json!({"isbn": "123", "year": 12, "pages": 7})) {
        Err(Error::Invalid(wrong)) => println!("refused: {wrong}"),
        other => println!("that should not be possible: {other:?}"),
    }
    // Nobody else has its number.
    match books.insert_as(&book(1, "Another one", &[], 2001, "B7")) {
        Err(error @ Error::NotUnique { .. }) => println!("refused: {error}"),
        other => println!("that should not be possible: {other:?}"),
    }
    Ok(())
}

fn look(books: &Table) -> Result<(), Error> {
    // A path that meets an array goes on in each element.
    for book in books.find_as::<Book>(json!({"authors": "Knuth", "year": {"$lt": 1990}}))? {
        let Book { title, year, .. } = book?;
        println!("{year}: {title}");
    }
    // The newest of a shelf, in the order of the index, a page at a time.
    let mut query =
        Query::new(json!({"stock.shelf": {"$in": ["A1", "A2"]}})).sort(json!({"year": -1})).limit(3);
    loop {
        let page = books.page(query.clone().project(json!(["title", "year"])))?;
        page.documents.iter().for_each(|document| println!("{document}"));
        match page.next {
            Some(next) => query = query.after(next),
            None => break,
        }
    }
    let shelf = Query::new(json!({"stock.shelf": "A1"})).sort(json!({"year": -1}));
    let plan = books.explain(shelf)?;
    println!("{}", plan.to_value());
    assert_eq!(
        (plan.index.as_deref(), plan.in_order, plan.documents_read),
        (Some("stock.shelf_1_year_-1"), true, 2)
    );
    Ok(())
}

fn change(books: &Table) -> Result<(), Error> {
    let sold = books.update(json!({"isbn": "9780000000003"}), json!({"$inc": {"stock.count": -1}}))?;
    assert_eq!((sold.matched, sold.modified), (1, 1));
    // One book that cannot have it, and none of them is changed.
    match books.update(json!({}), json!({"$inc": {"stock.count": -3}})) {
        Err(Error::Invalid(wrong)) => println!("refused: {wrong}"),
        other => println!("that should not be possible: {other:?}"),
    }
    let left = books.find_one(json!({"isbn": "9780000000003"}))?;
    println!("{}", left.map_or_else(String::new, |book| book.to_string()));
    let gone = books.delete(json!({"year": {"$lt": 1970}}))?;
    println!(
        "{gone} removed, {} are left, by {:?}",
        books.count(json!({}))?,
        texts(books.distinct("authors", Query::all())?)
    );
    Ok(())
}

fn texts(values: Vec<Value>) -> Vec<String> {
    values.iter().map(Value::to_string).collect()
}
