/*
 * XXH3, compiled into its callers: libraries of the same process (libpg_query among them) export a
 * copy of their own under the same names, and a call through the linker would reach whichever comes
 * first.
 */
#ifndef PGSLEUTH_COMMON_HASH_H
#define PGSLEUTH_COMMON_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#endif
