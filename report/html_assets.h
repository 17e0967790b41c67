/*
 * Script and style of the page, as web/ builds them: the bytes of web/dist/report.js and report.css
 * with their SHA-256 in base64, as a Content-Security-Policy names them. cmake/Embed.cmake makes
 * the definitions.
 */
#ifndef PGSLEUTH_REPORT_HTML_ASSETS_H
#define PGSLEUTH_REPORT_HTML_ASSETS_H

#include <stddef.h>

extern const unsigned char html_script[];
extern const size_t html_script_len;
extern const char html_script_hash[];
extern const unsigned char html_style[];
extern const size_t html_style_len;
extern const char html_style_hash[];

#endif
