# The written answer, which a person reads in formgrader, is a page of its own.
# base: right
# %% [markdown] why
<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)></svg>
<iframe src="https://example.org"></iframe><base href="https://example.org"><style>* {display: none}</style>

[one](javascript:alert(1)) [two](JaVaScRiPt:alert(1)) [three](data:text/html,<script>alert(1)</script>) <javascript:alert(1)>
[four]( java&#x09;script:alert(1)) [five](vbscript:x) [six][ref] <a href="javascript:alert(1)" onclick="alert(1)">seven</a>

[ref]: javascript:alert(1) "x\" onclick=\"alert(1)"

$</script><script>alert(1)</script>$ $$<img src=x onerror=alert(1)>$$ $\href{javascript:alert(1)}{x}$

```mermaid
</pre><script>alert(1)</script>
```

<details open ontoggle=alert(1)> <form action=//example.org><input name=score></form> <math href="javascript:alert(1)">x</math>

Since a<b and b>c. =1+1
# %% [markdown] collaborators
<img src=x onerror="fetch('/formgrader/api/grades')"> <b onmouseover=alert(1)>Bo</b>
