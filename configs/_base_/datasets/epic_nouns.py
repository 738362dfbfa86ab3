# The 300 nouns of EPIC-Kitchens-100 in the order of their official ids.
classes = """
    tap spoon plate cupboard knife pan lid bowl drawer sponge glass hand fridge cup fork bottle
    onion cloth board:chopping bag spatula container liquid:washing box hob dough package water
    meat pot potato oil cheese bread food tray bin pepper salt colander jar carrot top tomato
    kettle pasta oven sauce skin paper maker:coffee garlic towel egg rubbish rice mushroom chicken
    cutlery coffee glove can leaf sink milk heat jug aubergine salad chilli dishwasher mixture
    cucumber clothes peach flour courgette filter butter scissors chopstick tofu blender olive mat
    spice sausage peeler:potato napkin cover microwave pizza button towel:kitchen vegetable stock
    grater ladle yoghurt cereal wrap:plastic broccoli sugar brush biscuit lemon juicer wrap scale
    rest rack:drying alarm salmon freezer light spreads squash leek cap fish lettuce curry seed
    foil machine:washing corn soup oatmeal onion:spring clip lighter ginger tea nut vinegar holder
    pin:rolling pie powder burger book shell:egg tongs cream pork oregano banana processor:food
    paste recipe liquid choi:pak cooker:slow plug utensil noodle salami kitchen teapot floor tuna
    lime omelette bacon sandwich phone thermometer orange basket parsley spinner:salad tablet
    presser coriander opener:bottle cake avocado lentil blueberry fan:extractor cellar:salt hummus
    chair juice pancake bean:green toaster apple chocolate ice knob handle wine pea pith yeast
    coconut fishcakes spinach apron raisin basil grape kale wire asparagus paprika mango caper
    drink stalk turmeric whetstone kiwi bean thyme finger:lady beef whisk blackberry slicer
    control:remote label celery cabbage hoover breadstick roll cocktail crisp ladder beer pan:dust
    battery powder:washing backpack cumin cutter:pizza air pear quorn funnel wall strawberry
    almond tv scotch:egg shelf straw stand machine:sous:vide masher guard:hand shrimp fruit
    artichoke cork cherry sprout mat:sushi stick:crab ring:onion pestle window gin bar mint heater
    grass:lemon rubber gherkin breadcrumb watch melon cinnamon popcorn dumpling rosemary power
    syrup candle pineapple sheets soda raspberry airer balloon turkey computer key pillow pen face
    plum whiskey door:kitchen tape camera cd extract:vanilla
""".split()
# Those without an instance in training and, of these, those without one in validation either: the
# latter are what the authors' codes of ActionFormer and TriDet start close to zero.
empty_classes = [205, 240, 270, 275, 286, 288, 289, 290, 294, 295, 296]
absent_classes = [270, 275, 286, 289, 290, 294, 296]
