# Pictures and styles from elsewhere, which tell their owner who reads the page and when.
# base: right
# says: tried
# %% square-write
from IPython.display import HTML, Image, Markdown, display

display(Image(url="https://example.org/beacon.png"))
display(HTML("<img src='https://example.org/beacon.png'><table background='//example.org/b'><tr><td>x</td></tr></table>"))
display(Markdown("![x](https://example.org/beacon.png)"))
print("tried")
# %% [markdown] why
![x](https://example.org/beacon.png) ![y](//example.org/beacon.png "t") <img src="https://example.org/beacon.png">
