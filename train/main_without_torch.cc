// SPDX-License-Identifier: Apache-2.0
#include "train/program.h"

int main(int argc, char** argv) { return gradwire::train::RunProgram(argc, argv); }
