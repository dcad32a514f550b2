# Errors whose names, messages and source lines are markup and commands to a terminal.
# base: right
# %% square-write
import linecache

Bad = type("<script>alert(1)</script>\x1b]0;owned\x07", (Exception,), {})
print("\x1b[31m<script>alert(1)</script>\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07\x1b[2J" + "\x1b[1m" * 20_000)
linecache.cache["<svg onload=alert(1)>"] = (1, None, ["<script>alert(1)</script>\n"], "<svg onload=alert(1)>")
exec(compile("raise Bad('<img src=x onerror=alert(1)>' * 100)", "<svg onload=alert(1)>", "exec"))
