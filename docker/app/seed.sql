-- The bookshop: 592,500 rows, the same ones every time (no random()). Run as the owner of the tables.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET synchronous_commit = off;

BEGIN;
DROP TABLE IF EXISTS order_items, orders, reviews, books, authors, customers;

CREATE TABLE authors (
    id         bigint      NOT NULL,
    name       text        NOT NULL,
    country    text        NOT NULL,
    born       integer     NOT NULL,
    updated_at timestamptz NOT NULL
);
INSERT INTO authors
SELECT i, 'Author ' || i, (ARRAY['AR', 'DE', 'FR', 'IN', 'JP', 'NG', 'SE', 'US'])[1 + i % 8], 1900 + i * 7 % 100,
       timestamptz '2024-01-01 00:00+00' + i * interval '1 hour'
FROM generate_series(1, 2500) i;

-- Eight books an author, and one genre an author: about 2,500 books a genre, side by side in the table.
CREATE TABLE books (
    id           bigint         NOT NULL,
    author_id    bigint         NOT NULL,
    title        text           NOT NULL,
    genre        text           NOT NULL,
    price        numeric(8, 2)  NOT NULL,
    published_on date           NOT NULL,
    updated_at   timestamptz    NOT NULL
);
INSERT INTO books
SELECT i, a, 'The Book No. ' || i,
       (ARRAY['crime', 'essay', 'fantasy', 'history', 'poetry', 'romance', 'science', 'travel'])[1 + (a - 1) * 8 / 2500],
       (499 + i * 37 % 4500) / 100.0, date '1980-01-01' + (i * 13 % 16000)::integer,
       timestamptz '2024-01-01 00:00+00' + i * interval '7 minutes'
FROM (SELECT i, (i + 7) / 8 AS a FROM generate_series(1, 20000) i) n;

-- The wide one: 24 columns, of which "notes" alone is about 3 KiB.
CREATE TABLE customers (
    id              bigint      NOT NULL,
    email           text        NOT NULL,
    full_name       text        NOT NULL,
    phone           text        NOT NULL,
    street          text        NOT NULL,
    city            text        NOT NULL,
    postcode        text        NOT NULL,
    country         text        NOT NULL,
    language        text        NOT NULL,
    currency        text        NOT NULL,
    time_zone       text        NOT NULL,
    newsletter      boolean     NOT NULL,
    loyalty_tier    text        NOT NULL,
    loyalty_points  integer     NOT NULL,
    credit_limit    integer     NOT NULL,
    payment_terms   text        NOT NULL,
    shipping_method text        NOT NULL,
    sales_rep       text        NOT NULL,
    referred_by     text        NOT NULL,
    first_order_on  date        NOT NULL,
    last_login_at   timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    notes           text        NOT NULL
);
INSERT INTO customers
SELECT i, 'customer' || i || '@example.com', 'Customer ' || i, '+1 555 ' || lpad(i::text, 6, '0'),
       i % 300 || ' High Street', 'Town ' || i % 97, lpad((i * 17 % 99999)::text, 5, '0'),
       (ARRAY['AR', 'DE', 'FR', 'IN', 'JP', 'NG', 'SE', 'US'])[1 + i % 8], 'en', 'EUR', 'Europe/Berlin',
       i % 3 = 0, (ARRAY['basic', 'silver', 'gold'])[1 + i % 3], i * 31 % 9000, i * 11 % 5000, 'net 30', 'post',
       'Representative ' || i % 40, 'Customer ' || i / 2, date '2015-01-01' + (i % 3000)::integer,
       timestamptz '2025-01-01 00:00+00' + i * interval '3 minutes',
       timestamptz '2015-01-01 00:00+00' + i * interval '17 hours',
       timestamptz '2025-01-01 00:00+00' + i * interval '5 minutes',
       repeat('Customer ' || i || ' prefers a parcel to the door. ', 70)
FROM generate_series(1, 5000) i;

-- Forty orders a customer, spread over the whole table. customer_email repeats the customer's address and has no
-- index; placed_at alone has none either, or the planner could walk that one instead.
CREATE TABLE orders (
    id             bigint         NOT NULL,
    customer_id    bigint         NOT NULL,
    customer_email text           NOT NULL,
    status         text           NOT NULL,
    total          numeric(10, 2) NOT NULL,
    placed_at      timestamptz    NOT NULL,
    updated_at     timestamptz    NOT NULL
);
INSERT INTO orders
SELECT i, c, 'customer' || c || '@example.com', (ARRAY['new', 'paid', 'sent', 'done'])[1 + i % 4],
       (1000 + i * 53 % 20000) / 100.0, timestamptz '2023-01-01 00:00+00' + i * interval '5 minutes',
       timestamptz '2023-01-01 00:00+00' + i * interval '6 minutes'
FROM (SELECT i, 1 + i * 7919 % 5000 AS c FROM generate_series(1, 200000) i) n;

CREATE TABLE order_items (
    order_id   bigint        NOT NULL,
    line       integer       NOT NULL,
    book_id    bigint        NOT NULL,
    quantity   integer       NOT NULL,
    price      numeric(8, 2) NOT NULL,
    updated_at timestamptz   NOT NULL
);
INSERT INTO order_items
SELECT o, line, 1 + (o * 31 + line * 7) % 20000, 1 + o % 3, (499 + o * 37 % 4500) / 100.0,
       timestamptz '2023-01-01 00:00+00' + o * interval '5 minutes'
FROM generate_series(1, 200000) o, generate_series(1, (1 + o % 2)::integer) line;

CREATE TABLE reviews (
    id          bigint      NOT NULL,
    book_id     bigint      NOT NULL,
    customer_id bigint      NOT NULL,
    rating      integer     NOT NULL,
    headline    text        NOT NULL,
    written_at  timestamptz NOT NULL
);
INSERT INTO reviews
SELECT i, 1 + i * 7 % 20000, 1 + i * 11 % 5000, 1 + i % 5, 'Review ' || i,
       timestamptz '2023-01-01 00:00+00' + i * interval '11 minutes'
FROM generate_series(1, 65000) i;

ALTER TABLE authors ADD PRIMARY KEY (id);
ALTER TABLE books ADD PRIMARY KEY (id), ADD FOREIGN KEY (author_id) REFERENCES authors;
ALTER TABLE customers ADD PRIMARY KEY (id), ADD UNIQUE (email);
ALTER TABLE orders ADD PRIMARY KEY (id), ADD FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE order_items
    ADD PRIMARY KEY (order_id, line),
    ADD FOREIGN KEY (order_id) REFERENCES orders,
    ADD FOREIGN KEY (book_id) REFERENCES books;
ALTER TABLE reviews
    ADD PRIMARY KEY (id),
    ADD FOREIGN KEY (book_id) REFERENCES books,
    ADD FOREIGN KEY (customer_id) REFERENCES customers;

CREATE INDEX books_author_id_idx ON books (author_id);
CREATE INDEX books_genre_id_idx ON books (genre, id) INCLUDE (title, price);
CREATE INDEX orders_customer_id_placed_at_idx ON orders (customer_id, placed_at);
CREATE INDEX order_items_book_id_idx ON order_items (book_id);
CREATE INDEX reviews_book_id_idx ON reviews (book_id);
CREATE INDEX reviews_customer_id_idx ON reviews (customer_id);
COMMIT;

-- VACUUM too, or the covering index of books could not be read alone.
VACUUM (ANALYZE) authors, books, customers, orders, order_items, reviews;
