/*
 * A client of the admin API of a running pgsleuth: one GET at a time.
 */
#ifndef PGSLEUTH_PROXY_CLI_API_H
#define PGSLEUTH_PROXY_CLI_API_H

#include <jansson.h>

struct api;

enum { API_ERROR = 300 };

/* For a URL as `run` prints it, "http://127.0.0.1:6433/?token=...". NULL with one line in `error`,
 * which never quotes the URL. */
struct api *api_new(const char *url, char error[API_ERROR]);

/* The answer to a GET as a tree, the caller's; NULL with one line in `error`. */
json_t *api_get(struct api *api, const char *path, char error[API_ERROR]);

/* NULL is allowed. */
void api_free(struct api *api);

#endif
