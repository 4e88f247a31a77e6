// error: training, models and files need exceptions; with -fno-exceptions there is layers/lstm_stream.hpp
// flags: -fno-exceptions
#include <reprise/reprise.hpp>

int main() {}
