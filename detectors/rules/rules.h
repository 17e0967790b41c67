/* What detectors.def lists: one object a file of this folder. */
#ifndef PGSLEUTH_DETECTORS_RULES_RULES_H
#define PGSLEUTH_DETECTORS_RULES_RULES_H

#include "detectors/detector.h"

#define DETECTOR(name) extern const struct detector det_##name;
#include "detectors/detectors.def"
#undef DETECTOR

#endif
