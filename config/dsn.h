/*
 * What config/ knows about connection strings: the spellings of a scheme, and where a password may
 * hide (see cfg_mask_url in config.h). Internal to config/.
 */
#ifndef PGSLEUTH_CONFIG_DSN_H
#define PGSLEUTH_CONFIG_DSN_H

/*
 * A new copy of `url`, owned by the caller, with the spellings that SQLAlchemy and Heroku use
 * (`postgres://`, `postgresql+psycopg://`, ...) written as `postgresql://`, the one that libpq and
 * the proxy read. Any other text is copied as it is. NULL when out of memory.
 */
char *cfg_url_normalise(const char *url);

#endif
