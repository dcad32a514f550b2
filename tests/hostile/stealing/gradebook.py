# Reads the gradebook's database.
# base: right
# needs: sandbox
# says: tried
# worked against: no sandbox
# %% square-write
import sqlite3

for uri in ("file:@course@/gradebook.db?mode=ro", "file:/proc/1/root@course@/gradebook.db?mode=ro&immutable=1"):
    try:
        print(sqlite3.connect(uri, uri=True).execute("select * from student").fetchall())
    except sqlite3.Error as error:
        print(error)
print("tried")
