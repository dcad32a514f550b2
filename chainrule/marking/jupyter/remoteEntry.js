// JupyterLab's side of the marking room: a command and a launcher card that open its page in a tab.
// Written by hand: it offers what webpack's module federation would, so there is nothing to build.
"use strict";

(() => {
  let shared;

  // a module that JupyterLab shares with its extensions
  async function load(name) {
    const [version] = Object.values(shared[name] || {});
    return version ? (await version.get())() : {};
  }

  async function plugin() {
    const {ICommandPalette, IFrame, MainAreaWidget} = await load("@jupyterlab/apputils");
    const {ILauncher} = await load("@jupyterlab/launcher");
    const {PageConfig, URLExt} = await load("@jupyterlab/coreutils");
    return {
      id: "chainrule-marking:plugin",
      autoStart: true,
      optional: [ICommandPalette, ILauncher].filter(Boolean),
      activate: (app, palette, launcher) => {
        const command = "chainrule:mark";
        app.commands.addCommand(command, {
          label: "Mark Written Answers",
          caption: "Open Chainrule's marking room",
          execute: () => {
            const content = new IFrame({
              sandbox: ["allow-scripts", "allow-same-origin", "allow-forms", "allow-downloads", "allow-popups", "allow-modals"],
            });
            content.url = URLExt.join(PageConfig.getBaseUrl(), "marking");
            content.title.label = "Marking";
            content.title.closable = true;
            const tab = new MainAreaWidget({content});
            tab.title.label = "Marking";
            app.shell.add(tab, "main");
            app.shell.activateById(tab.id);
          },
        });
        if (palette) palette.addItem({command, category: "nbgrader"});
        if (launcher) launcher.add({command, category: "Other"});
      },
    };
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["chainrule-marking"] = {
    init: (scope) => { shared = scope; },
    get: async (module) => {
      if (module !== "./extension") throw new Error(`there is no ${module}`);
      const made = await plugin();
      return () => ({__esModule: true, default: made});
    },
  };
})();
