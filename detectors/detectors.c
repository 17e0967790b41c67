/* The table of detectors, in the order of detectors.def. */
#include "detectors/detector.h"
#include "detectors/rules/rules.h"

const struct detector *const det_detectors[DETECTOR_COUNT] = {
#define DETECTOR(name) [DETECTOR_##name] = &det_##name,
#include "detectors/detectors.def"
#undef DETECTOR
};
