#!/bin/sh
# Take a release back and restore the one before: sh take-back.sh AMI PREVIOUS_AMI
# What is published as latest goes back to PREVIOUS_AMI's copies; the parameters of the bad version keep its ids.
set -eu

amicopy retire "$1" --restore "$2" --from us-east-1 --leave-parameter "/images/web/web-server-*" --yes
