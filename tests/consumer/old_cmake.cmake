cmake_minimum_required(VERSION 3.20)
set(CMAKE_VERSION 3.22.1)
find_package(reprise CONFIG REQUIRED)
