#include "wire/request_mark.h"

#include "common/hash.h"

enum { ADDRESS_BYTES = 64, ID_BYTES = 64 };

uint64_t wire_peer_hash(struct span host, uint16_t port)
{
    static const char mapped[] = "::ffff:";
    if (span_starts(host, mapped) && span_find_byte(host, '.') < host.len)
        host = span_skip(host, sizeof(mapped) - 1);
    uint64_t hash = XXH3_64bits_withSeed(host.data, host.len, port);
    return hash != 0 ? hash : 1;
}

static bool read_port(struct span text, uint16_t *port)
{
    unsigned n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || n > UINT16_MAX)
            return false;
        n = n * 10 + (text.data[i] - (unsigned)'0');
    }
    *port = (uint16_t)n;
    return n > 0 && n <= UINT16_MAX;
}

/* host:port, or [v6]:port */
static bool read_address(struct span text, struct span *host, uint16_t *port)
{
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon < 2 || !read_port(span_skip(text, colon), port))
        return false;
    *host = span_head(text, colon - 1);
    if (span_starts(*host, "[") && span_cut_end(host, "]"))
        *host = span_skip(*host, 1);
    return host->len > 0;
}

bool wire_request_mark_read(struct wire_request_mark *out, struct span datagram)
{
    uint8_t text[ADDRESS_BYTES];
    uint8_t id[ID_BYTES];
    struct span host;
    uint16_t port;
    if (datagram.len > REQUEST_MARK_MAX ||
        !read_address(sql_comment_value(datagram, "client", text, sizeof(text)), &host, &port))
        return false;
    out->peer = wire_peer_hash(host, port);
    /* Two containers may both count from 1 in a process 1. */
    struct span request = sql_comment_value(datagram, "request", id, sizeof(id));
    uint64_t of_host = wire_peer_hash(host, 0);
    out->request =
        request.len > 0 ? XXH3_64bits_withSeed(request.data, request.len, of_host) | 1 : 0;
    sql_tag_init(&out->tag);
    (void)sql_tag_read(&out->tag, datagram);
    return true;
}
