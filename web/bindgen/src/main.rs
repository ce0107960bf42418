//! `bindgen FILE.wasm FOLDER`: writes a module for browsers into the folder.

fn main() {
    let mut given = std::env::args().skip(1);
    let (Some(wasm), Some(folder)) = (given.next(), given.next()) else {
        eprintln!("usage: bindgen FILE.wasm FOLDER");
        std::process::exit(2);
    };
    let made = wasm_bindgen_cli_support::Bindgen::new()
        .input_path(&wasm)
        .out_name("engine")
        .web(true)
        .and_then(|b| {
            let b = b.typescript(false).omit_default_module_path(true);
            b.remove_name_section(true).remove_producers_section(true).generate(&folder)
        });
    if let Err(e) = made {
        eprintln!("{wasm}: {e:#}");
        std::process::exit(1);
    }
}
