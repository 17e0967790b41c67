/*
 * What config/ knows about connection strings: the spellings of a scheme, and where a password may
 * hide (see cfg_mask_url in config.h). Internal to config/.
 */
#ifndef PGSLEUTH_CONFIG_DSN_H
#define PGSLEUTH_CONFIG_DSN_H

#include <stddef.h>

/* The length of a scheme of PostgreSQL with an optional `+driver` and `://`; 0 for other texts. */
size_t cfg_url_scheme(const char *url);

/*
 * A new copy of a URL that an application uses, owned by the caller, without the parameters that
 * are its driver's or its framework's alone; `ssl` becomes `sslmode`. NULL when out of memory.
 */
char *cfg_url_of_application(const char *url);

/*
 * A new copy of `url`, owned by the caller, with the spellings that SQLAlchemy, Django and Heroku
 * use
 * (`postgres://`, `postgresql+psycopg://`, ...) written as `postgresql://`, the one that libpq and
 * the proxy read. Any other text is copied as it is. NULL when out of memory.
 */
char *cfg_url_normalise(const char *url);

#endif
