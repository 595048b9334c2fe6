"""Changes of existing data that a release needs: module `X_Y_Z` with `fix_db()`, for `fractalctl update-db-data`.

Changes that SQL alone can make belong to the migrations of `set-db`.
"""
