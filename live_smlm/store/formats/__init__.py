"""One module per format of localization table; `store.tables` lists them."""
