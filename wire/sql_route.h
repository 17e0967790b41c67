/*
 * Routes as people read them. Frameworks write the same route in their own ways: Django
 * `books/<int:pk>/` or `^books/(?P<pk>[0-9]+)/$`, Flask `/books/<int:pk>`, FastAPI `/books/{pk}`.
 * Here they all become `/books/{pk}`, as the HTTP listener writes it.
 *
 * Of a regular expression a named group is its name in braces, and another group, a class or `.+`
 * is "{value}"; anchors, quantifiers and look-arounds go. What is none of this stays as it is.
 */
#ifndef PGSLEUTH_WIRE_SQL_ROUTE_H
#define PGSLEUTH_WIRE_SQL_ROUTE_H

#include "common/span.h"

/* Writes at most `size` bytes and gives their number: the readable form, cut where it does not fit.
 * Empty for an empty route. A route that is readable already comes out as it went in. */
size_t sql_route_readable(struct span route, uint8_t *out, size_t size);

#endif
