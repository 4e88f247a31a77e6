#pragma once

// Included by what throws and catches. Without exceptions a compiler would stop at each throw; this says what
// to do.
#ifndef __cpp_exceptions
#error \
    "reprise: training, models and files need exceptions; with -fno-exceptions there is layers/lstm_stream.hpp"
#endif
