"""From a request to Option A or B: rules files, CEL expressions, what a rule may see."""
