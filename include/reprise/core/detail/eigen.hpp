#pragma once

// Eigen's matrices, without warnings in the programs that include the library, however they name Eigen's
// folder
// (`-I` or `-isystem`): g++ 12 takes some of its own AVX-512 intrinsics for uninitialised (GCC bug 105593),
// and Eigen converts between signed and unsigned.
#pragma GCC system_header
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Core>
#pragma GCC diagnostic pop
