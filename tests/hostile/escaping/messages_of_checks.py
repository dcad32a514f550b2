# What the grader says about an answer contains what the answer says: markup, terminal commands, a formula, a beacon.
# base: wrong
# scores: 0
# says: tried
# %% square-write
def square(x):
    if x == 2:
        return "</td></tr></table><script>alert(1)</script>\x1b[2J"
    if x == 3:
        return 9
    if x < 0:
        raise type("<img src=x onerror=alert(1)>", (Exception,), {})("=HYPERLINK('//example.org')\r\n\x1b]0;owned\x07")
    raise ValueError("![x](https://example.org/beacon.png) <svg onload=alert(1)> \u202e\u0000 [bold red]owned[/]")


print("tried")
