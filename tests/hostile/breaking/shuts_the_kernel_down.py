# Asks the kernel to shut down in every polite way: exit, a shutdown message of its own, a stopped event loop.
# base: right
# says: tried
# %% square-write
import asyncio

shell = get_ipython()
print("tried")
shell.exit_now = True
shell.ask_exit()
shell.kernel.shell_is_awaiting = True
shell.run_line_magic("reset", "-f")
asyncio.get_event_loop().stop()
