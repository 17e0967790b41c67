// The page is whole without this; here it learns to sort, filter, link, copy, draw, try out and, from a server, go on.
import { startCharts } from "./charts.js";
import { startCopying } from "./copy.js";
import { startEndpoints } from "./endpoints.js";
import { startLive } from "./live.js";
import { startPrinting } from "./print.js";
import { startRouting } from "./routing.js";
import { startSteps } from "./steps.js";
import { startTheme } from "./theme.js";
import { startTrying } from "./trying.js";

document.documentElement.classList.add("js");
startTheme();
startCopying();
startEndpoints();
startTrying();
startCharts();
startSteps();
startPrinting();
startRouting();
startLive();
