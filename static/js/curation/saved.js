// The page after a form: a FAQ with the word that it was saved, or the run that publishes it.

import { settleSent } from "./sent.js";

settleSent(document.querySelector(".saved, #run") !== null);
