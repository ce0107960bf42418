//! A folder of files as a page for this machine alone. Browsers give the GPU to pages from here,
//! but not to files that are opened from disk.

use super::print;
use lacuna::{Error, Result};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Serves the folder until the process is ended.
///
/// # Errors
/// [`Error::Input`] for a folder without a page or a port that is taken.
pub fn serve(folder: &Path, port: u16) -> Result<()> {
    if !folder.join("index.html").is_file() {
        return Err(Error::input(format!(
            "{} has no index.html: `bash web/build.sh` in Lacuna's source builds the page into web/dist/page",
            folder.display()
        )));
    }
    let taken = |e| Error::input(format!("port {port} of this machine cannot be used ({e}): name another one with --port"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    print(&format!("http://{address}/ (Ctrl-C ends it)\n"))?;
    for stream in listener.incoming().flatten() {
        let folder = folder.to_path_buf();
        // A visitor who goes away in the middle is no mistake of ours.
        std::thread::spawn(move || answer(&stream, &folder).ok());
    }
    Ok(())
}

/// Answers one request, and closes the connection.
fn answer(mut stream: &TcpStream, folder: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    // Browsers want their whole request read.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let found =
        (method == "GET").then(|| file(folder, path)).flatten().and_then(|file| Some((kind(&file), std::fs::read(file).ok()?)));
    let (status, kind, body) = match found {
        Some((kind, body)) => ("200 OK", kind, body),
        None => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)?;
    stream.flush()
}

/// The file that is meant, if the path does not lead out of the folder.
fn file(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = path.split(['?', '#']).next()?.trim_start_matches('/');
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let file = folder.join(if path.is_empty() { "index.html" } else { path });
    (inside && file.is_file()).then_some(file)
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_served() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("index.html"), "page").unwrap();
        std::fs::write(folder.path().join("inner/a.js"), "script").unwrap();
        let site = folder.path();
        assert_eq!(file(site, "/"), Some(site.join("index.html")));
        assert_eq!(file(site, "/inner/a.js?x=1").as_deref().map(kind), Some("text/javascript; charset=utf-8"));
        for bad in ["/../Cargo.toml", "/inner/../../x", "/inner", "/nothing", "//etc/passwd", "/inner/../index.html"] {
            assert_eq!(file(site, bad), None, "{bad}");
        }
        let e = serve(&site.join("inner"), 0).unwrap_err();
        assert_eq!((e.exit_code(), e.to_string().contains("web/build.sh")), (2, true));
    }

    #[test]
    fn a_request_is_answered() {
        use std::io::Read;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "page").unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for (request, want) in [("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "page"), ("POST / HTTP/1.1\r\n\r\n", "not found\n")] {
            let mut visitor = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            visitor.write_all(request.as_bytes()).unwrap();
            answer(&listener.accept().unwrap().0, folder.path()).unwrap();
            let mut told = String::new();
            visitor.read_to_string(&mut told).unwrap();
            assert!(told.starts_with("HTTP/1.1 ") && told.ends_with(want), "{told}");
        }
    }
}
