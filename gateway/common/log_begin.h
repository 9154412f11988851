/* The first thing that a child does: its lines go where its configuration says. */
#ifndef COMMON_LOG_BEGIN_H
#define COMMON_LOG_BEGIN_H

#include "gateway/common/heritage.h"

/* Takes the descriptors of its log over, its ring and its pipe. To be called before
 * others are closed, as the one that was used before is closed by it. */
void log_begin(const struct heritage *h);

#endif
