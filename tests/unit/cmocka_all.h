/*
 * cmocka with what it needs before it.
 */
#ifndef PGSLEUTH_TESTS_CMOCKA_ALL_H
#define PGSLEUTH_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
