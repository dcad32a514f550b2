# The kernel says it is another one: in another language, with pages of help for the reader's browser.
# base: right
# says: tried
# %% square-write
kernel = get_ipython().kernel
script = "</script><script>alert(1)</script>"
type(kernel).language_info = {"name": script, "file_extension": script, "mimetype": script, "pygments_lexer": script}
type(kernel).kernel_info = property(lambda self: {"language_info": self.language_info, "banner": script, "help_links": []})
print("tried")
