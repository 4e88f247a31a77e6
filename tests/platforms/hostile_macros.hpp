// Macros that C headers and frameworks define, with names that a library would like to use itself. All
// headers of the library are compiled after them; the standard library and Eigen come first, since not all of
// these would pass there.
#include <complex.h>  // I, if the compiler takes it in C++
#ifndef I
#define I (__extension__ 1.0iF)
#endif

#include <sys/sysmacros.h>  // major, minor

// X11; not its Success, which Eigen refuses
#define None 0L
#define Bool int
#define Status int
#define True 1
#define False 0
#define Always 2
#define Complex 0
#define Convex 2
// Qt
#define signals public
#define slots
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
// Windows
#define near
#define far
#define small char
#define interface struct
#define ERROR 0
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define TRUE 1
#define FALSE 0
#define DELETE 1
#define STRICT 1
// newlib's <ctype.h>
#define _U 01
#define _L 02
#define _N 04
#define _S 010
#define _P 020
#define _C 040
#define _X 0100
#define _B 0200
// Arduino
#define F(text) text
#define HIGH 1
#define LOW 0
#define INPUT 0
#define OUTPUT 1
#define DEFAULT 1
#define PI 3.14
#define B0 0
#define B1 1
// <termios.h>, <math.h>, <float.h>
#define ECHO 1
#define DOMAIN 1
#define OVERFLOW 3
#define UNDERFLOW 4
