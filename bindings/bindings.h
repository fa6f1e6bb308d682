/* What each binding in the library gives: a function that pushes its table. */
#ifndef LULL_BINDINGS_H
#define LULL_BINDINGS_H

#include "internal.h"

#endif
